//go:build cgo

package browser_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/internal/leaktest"
)

// bound is how long a test waits for anything.
const bound = 30 * time.Second

func TestMain(m *testing.M) {
	leaktest.Main(m,
		// native parks its goroutines for some seconds.
		goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive waits for an event, with a bound.
func receive[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case v = <-c:
	case <-timer.C:
		t.Fatalf("waited %v for %s", bound, what)
	}
	return v
}
