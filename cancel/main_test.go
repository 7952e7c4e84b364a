package cancel_test

import (
	"testing"
	"time"

	"github.com/hangup-go/hangup/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// within fails the test if ch delivers nothing for a time that no healthy
// machine needs, and says what it waited for.
func within[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited for %s", what)
		panic("unreachable")
	}
}
