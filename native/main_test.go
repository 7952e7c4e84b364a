//go:build cgo

package native_test

import (
	"errors"
	"io"
	"log"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/internal/leaktest"
)

// Parked workers are goroutines that nobody has lost.
func TestMain(m *testing.M) {
	leaktest.Main(m, goleak.IgnoreTopFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
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

// errOther is what a function says that failed by itself.
var errOther = errors.New("other")

var quiet = log.New(io.Discard, "", 0)

// parallel calls f n times at once and waits for all.
func parallel(n int, f func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
