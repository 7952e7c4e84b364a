//go:build cgo && linux

package native_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

func skipDeferred(t *testing.T) {
	if nativetest.DefersSignals {
		t.Skip("ThreadSanitizer defers signals; testdata/sanitizers/interrupt.c runs under it")
	}
}

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
			return 0, c.Interruptible(func() error { return again(c, func() error { return fn(in) }) })
		})
		returned <- err
	}()
	in.Wait()
	stop(errGone)
	return within(t, "a call to be interrupted", returned)
}

// again makes a system call until it does not fail with EINTR, or the call is
// cancelled: sleeps, poll and the like also end at Go's own signals.
func again(c *native.Call, f func() error) (err error) {
	for err = f(); err == unix.EINTR && !c.Cancelled(); err = f() {
	}
	return err
}

// interruptedHere is interrupted on the caller's goroutine.
func interruptedHere(t *testing.T, fn func(in *nativetest.Inside) error) error {
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	in := new(nativetest.Inside)
	go func() { in.Wait(); stop(errGone) }()
	_, err := native.Inline(ctx, func(c *native.Call) (int, error) {
		return 0, c.Interruptible(func() error { return again(c, func() error { return fn(in) }) })
	})
	return err
}

// The fixtures that have a child process end it, also where another was forked beside it and has its
// descriptors.
func TestInterruptible_childrenAtOnce(t *testing.T) {
	skipDeferred(t)
	mustInterrupt(t)
	calls := nativetest.SystemCalls()
	soak(t, 8, 100, func(s *soaker) {
		i := slices.Index(calls, []string{"waitpid", "F_SETLKW"}[s.i%2])
		s.waits("the child of " + calls[i])
		if err := interruptedHere(t, func(in *nativetest.Inside) error { return nativetest.BlockIn(i, in) }); !errors.Is(err, unix.EINTR) {
			t.Errorf("%s: %v", calls[i], err)
		}
	})
}

// N5, N8: every system call of engines.md that can fail with EINTR does so, made
// from C.
func TestInterruptible_systemCallsFromC(t *testing.T) {
	skipDeferred(t)
	for i, name := range nativetest.SystemCalls() {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			bothWays(t, func(t *testing.T, do doFunc) {
				err := interrupted(t, do, func(in *nativetest.Inside) error { return nativetest.BlockIn(i, in) })
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
	skipDeferred(t)
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
			_, before, _ := native.SignalCounts()
			stop()
			awaitSignals(t, before+3) // handled while it waits
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

// awaitSignals waits until n signals have been handled since the program started.
func awaitSignals(t *testing.T, n uint64) {
	for start := time.Now(); ; runtime.Gosched() {
		if _, inside, _ := native.SignalCounts(); inside >= n {
			return
		}
		if time.Since(start) > 30*time.Second {
			t.Errorf("waited for signal %d to be handled", n)
			return
		}
	}
}

// N3: a signal that the function has blocked on its thread is not left for who
// comes after. N5: nor does that keep the next call on the thread from being freed.
func TestInterruptible_blockedSignal(t *testing.T) {
	skipDeferred(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, before unix.Sigset_t
	err := interruptedHere(t, func(in *nativetest.Inside) error {
		set := none
		set.Val[0] = 1 << (34 - 1)
		must(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before))
		sent, _, _ := native.SignalCounts()
		in.Set()
		for start := time.Now(); time.Since(start) < 30*time.Second; runtime.Gosched() {
			if now, _, _ := native.SignalCounts(); now > sent {
				return nil
			}
		}
		return errors.New("waited for a signal to be sent")
	})
	if err != nil {
		t.Error(err)
	}
	err = interruptedHere(t, func(in *nativetest.Inside) error {
		in.Set()
		return unix.Nanosleep(&unix.Timespec{Sec: 3600}, nil)
	})
	if !errors.Is(err, unix.EINTR) {
		t.Error("after a call that blocked the signal:", err)
	}
	var after unix.Sigset_t
	must(t, unix.PthreadSigmask(unix.SIG_SETMASK, &before, &after))
	if after.Val[0]>>(34-1)&1 == 0 {
		t.Error("the section has changed the thread's signal mask")
	}
	assertConfined(t)
}

// N3, N9: a panic and Goexit of the function leave the section too.
func TestInterruptible_unwound(t *testing.T) {
	skipDeferred(t)
	ctx, stop := context.WithCancel(t.Context())
	for what, leave := range map[string]func(){"panic": func() { panic(errGone) }, "Goexit": runtime.Goexit} {
		ended := make(chan any, 1)
		go func() {
			defer func() { ended <- recover() }()
			native.Do(ctx, func(c *native.Call) (int, error) {
				return 0, c.Interruptible(func() error { leave(); return nil })
			})
		}()
		if v := within(t, what, ended); (v != nil) != (what == "panic") {
			t.Errorf("%s: recovered %v", what, v)
		}
	}
	stop()
	assertConfined(t)
}

// Sections may be nested: each is freed, and the outer one goes on being freed.
func TestInterruptible_nested(t *testing.T) {
	skipDeferred(t)
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	in := new(nativetest.Inside)
	go func() { in.Wait(); stop(errGone) }()
	sleep := func() error { return unix.Nanosleep(&unix.Timespec{Sec: 3600}, nil) }
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		return 0, c.Interruptible(func() error {
			in.Set()
			if err := c.Interruptible(sleep); err != unix.EINTR {
				t.Error("inner:", err)
			}
			return sleep()
		})
	})
	if !errors.Is(err, unix.EINTR) || !errors.Is(err, errGone) {
		t.Error(err)
	}
	assertConfined(t)
}
