//go:build cgo && linux

package native_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// interrupted makes one call under ctx that blocks in fn, cancels it once fn says that it is
// inside, and returns the error.
func interrupted(t *testing.T, do doFunc, fn func(in *nativetest.Inside) error) error {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	in := new(nativetest.Inside)
	returned := make(chan error, 1)
	go func() {
		_, err := do(ctx, func(c *native.Call) (int, error) {
			return 0, c.Interruptible(func() error { return fn(in) })
		})
		returned <- err
	}()
	in.Wait()
	stop(errGone)
	return within(t, "a call to be interrupted", returned)
}

// N5, N8: every system call of engines.md that can fail with EINTR does so, made
// from C.
func TestInterruptible_systemCallsFromC(t *testing.T) {
	for i, name := range nativetest.SystemCalls() {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			bothWays(t, func(t *testing.T, do doFunc) {
				err := interrupted(t, do, func(in *nativetest.Inside) error { return nativetest.Block(i, in) })
				if !errors.Is(err, syscall.EINTR) || !errors.Is(err, errGone) {
					t.Error(err)
				}
			})
		})
	}
	assertConfined(t)
}

// assertConfined: every signal sent so far was handled, and inside its section
// (N3, N8). No section is in use when it is called.
func assertConfined(t *testing.T) {
	t.Helper()
	sent, inside, outside := native.SignalCounts()
	if sent != inside || outside != 0 {
		t.Errorf("%d signals sent, %d handled inside, %d outside", sent, inside, outside)
	}
}

// A mutex and a condition are waited for whatever the signals; these do no harm.
func TestInterruptible_never(t *testing.T) {
	for name, wait := range map[string]func(*nativetest.Inside) error{
		"pthread_mutex_lock": nativetest.LockMutex,
		"pthread_cond_wait":  nativetest.WaitCondition,
	} {
		t.Run(name, func(t *testing.T) {
			release := nativetest.HoldMutex()
			ctx, stop := context.WithCancel(t.Context())
			in := new(nativetest.Inside)
			returned := make(chan error, 1)
			go func() {
				_, err := native.Do(ctx, func(c *native.Call) (int, error) {
					return 0, c.Interruptible(func() error { return wait(in) })
				})
				returned <- err
			}()
			in.Wait()
			before, _, _ := native.SignalCounts()
			stop()
			// Several are handled while it waits.
			for start := time.Now(); ; runtime.Gosched() {
				if _, inside, _ := native.SignalCounts(); inside >= before+3 {
					break
				}
				if time.Since(start) > 30*time.Second {
					t.Fatal("waited for three signals to be handled")
				}
			}
			select {
			case err := <-returned:
				t.Error("returned while the mutex was held:", err)
			default:
			}
			release()
			if err := within(t, "the mutex", returned); err != nil {
				t.Error(err)
			}
		})
	}
	assertConfined(t)
}
