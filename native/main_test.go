//go:build cgo

package native_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Parked workers are goroutines that nobody has lost.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}

// within fails the test if ch delivers nothing for a time that no healthy
// machine needs, and says what it waited for.
func within[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("waited for %s", what)
		panic("unreachable")
	}
}
