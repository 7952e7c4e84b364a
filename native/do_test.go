//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

var errGone = errors.New("gone")

// long is a call that only a cancel ends.
const long = time.Hour

type doFunc = func(context.Context, func(*native.Call) (int, error)) (int, error)

// bothWays runs a test with Do and with Inline, and with DoIn, whose calls have tokens of
// their own: the guarantees are the same.
func bothWays(t *testing.T, test func(t *testing.T, do doFunc)) {
	t.Run("Do", func(t *testing.T) { test(t, native.Do[int]) })
	t.Run("Inline", func(t *testing.T) { test(t, native.Inline[int]) })
	t.Run("DoIn", func(t *testing.T) {
		p := &native.Pool{Name: t.Name()}
		test(t, func(ctx context.Context, fn func(*native.Call) (int, error)) (int, error) {
			return native.DoIn(ctx, p, fn)
		})
		closePool(t, p)
	})
}

// contexts are the kinds of context a call can be under, each with the way to
// cancel it with errGone.
func contexts(t *testing.T) map[string]func() (context.Context, func()) {
	return map[string]func() (context.Context, func()){
		"token": func() (context.Context, func()) {
			tok := new(cancel.Token)
			t.Cleanup(tok.Close)
			return cancel.NewContext(t.Context(), tok), func() { tok.Cancel(errGone) }
		},
		"derived": func() (context.Context, func()) {
			tok := new(cancel.Token)
			t.Cleanup(tok.Close)
			ctx, stop := context.WithTimeout(cancel.NewContext(t.Context(), tok), long)
			t.Cleanup(stop)
			return ctx, func() { tok.Cancel(errGone) }
		},
		"standard": func() (context.Context, func()) {
			ctx, stop := context.WithCancelCause(t.Context())
			t.Cleanup(func() { stop(nil) })
			return ctx, func() { stop(errGone) }
		},
	}
}

// N1: under a context that is done, the function is never entered.
func TestDo_notStartedInVain(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			ctx, stop := make()
			stop()
			_, err := do(ctx, func(*native.Call) (int, error) {
				t.Errorf("%s: entered", name)
				return 0, nil
			})
			var ne *native.Error
			if !errors.As(err, &ne) || ne.Err != nil || !errors.Is(err, errGone) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error is %v", name, err)
			}
		}
		deadline, stop := context.WithDeadline(t.Context(), time.Unix(0, 0))
		defer stop()
		_, err := do(deadline, func(*native.Call) (int, error) { return 1, nil })
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("a deadline's error is %v", err)
		}
	})
}

// N2: the result of a call that finished is returned, cancelled or not; the
// error of a cancelled one carries the cause and what C said.
func TestDo_truthWins(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			ctx, stop := make()
			if v, err := do(ctx, func(*native.Call) (int, error) { return 7, nil }); v != 7 || err != nil {
				t.Errorf("%s: completed: %d, %v", name, v, err)
			}
			if v, err := do(ctx, func(*native.Call) (int, error) { return 8, io.EOF }); v != 8 || err != io.EOF {
				t.Errorf("%s: failed by itself: %d, %v", name, v, err)
			}
			if v, err := do(ctx, func(c *native.Call) (int, error) {
				stop()
				waitFlag(t, c)
				return 9, nil
			}); v != 9 || err != nil {
				t.Errorf("%s: completed despite cancel: %d, %v", name, v, err)
			}
			ctx, stop = make()
			v, err := do(ctx, func(c *native.Call) (int, error) {
				stop()
				return 10, nativetest.Spin(c.Flag().Pointer(), long, nil)
			})
			var ne *native.Error
			if v != 10 || !errors.As(err, &ne) || ne.Cause != errGone || ne.Err != nativetest.ErrStopped ||
				!errors.Is(err, errGone) || !errors.Is(err, nativetest.ErrStopped) || !errors.Is(err, context.Canceled) {
				t.Errorf("%s: cancelled: %d, %v", name, v, err)
			}
		}
	})
}

// waitFlag waits for the call's flag, as C would.
func waitFlag(t *testing.T, c *native.Call) {
	t.Helper()
	if err := nativetest.Spin(c.Flag().Pointer(), 30*time.Second, nil); err != nativetest.ErrStopped {
		t.Error("the flag was not set")
	}
	if !c.Cancelled() {
		t.Error("the flag is set, the call not cancelled")
	}
}

// Every ready-made callback, and the flag itself, stops C that is inside.
func TestCall_waysIn(t *testing.T) {
	ways := map[string]func(c *native.Call, in *nativetest.Inside) error{
		"flag": func(c *native.Call, in *nativetest.Inside) error {
			return nativetest.Spin(c.Flag().Pointer(), long, in)
		},
		"int poll": func(c *native.Call, in *nativetest.Inside) error {
			return nativetest.RunInt(native.PollInt(), c.Flag().Pointer(), long, in)
		},
		"bool poll": func(c *native.Call, in *nativetest.Inside) error {
			return nativetest.RunBool(native.PollBool(), c.Flag().Pointer(), long, in)
		},
		"callback": func(c *native.Call, in *nativetest.Inside) error {
			e := nativetest.NewEngine(nativetest.Sticky)
			defer e.Free()
			r := c.OnCancel(func(error) { e.Cancel() })
			defer r.StopAndWait() // before e is freed
			return e.Run(long, in)
		},
		"repeated callback": func(c *native.Call, in *nativetest.Inside) error {
			e := nativetest.NewEngine(nativetest.Lost)
			defer e.Free()
			defer c.AddCanceller(native.Canceller{Cancel: func(error) { e.Cancel() }, Repeat: true})() // stopped before e is freed
			return e.Run(long, in)
		},
	}
	bothWays(t, func(t *testing.T, do doFunc) {
		for way, run := range ways {
			for name, make := range contexts(t) {
				ctx, stop := make()
				in := new(nativetest.Inside)
				go func() { in.Wait(); stop() }()
				_, err := do(ctx, func(c *native.Call) (int, error) { return 0, run(c, in) })
				if !errors.Is(err, nativetest.ErrStopped) || !errors.Is(err, errGone) {
					t.Errorf("%s under %s: %v", way, name, err)
				}
			}
		}
	})
}

// N3: when Do returns no callback of the call runs, and none will.
func TestDo_joined(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			ctx, stop := make()
			var running, returned atomic.Bool
			release := make2()
			_, err := do(ctx, func(c *native.Call) (int, error) {
				started := make2()
				c.OnCancel(func(error) {
					running.Store(true)
					close(started)
					<-release
					if returned.Load() {
						t.Errorf("%s: a callback outlived the call", name)
					}
					running.Store(false)
				})
				stop()
				within(t, "the callback", started)
				go func() { runtime.Gosched(); close(release) }()
				return 0, nil
			})
			returned.Store(true)
			if running.Load() || err != nil {
				t.Errorf("%s: callback running %v, error %v", name, running.Load(), err)
			}

			ctx, stop = make()
			do(ctx, func(c *native.Call) (int, error) {
				c.OnCancel(func(error) { t.Errorf("%s: a callback of a finished call", name) })
				return 0, nil
			})
			stop()
		}
	})
}

func make2() chan struct{} { return make(chan struct{}) }

// N5: a cancel that comes before C is entered is seen: by the flag, as it stays
// set; by a cancel function that is lost when idle, as it is repeated.
func TestDo_notLost(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			for range 50 {
				ctx, stop := make()
				_, err := do(ctx, func(c *native.Call) (int, error) {
					stop() // armed, not yet in C
					return 0, nativetest.Spin(c.Flag().Pointer(), long, nil)
				})
				if !errors.Is(err, nativetest.ErrStopped) {
					t.Fatalf("%s: flag: %v", name, err)
				}
				e := nativetest.NewEngine(nativetest.Lost)
				ctx, stop = make()
				_, err = do(ctx, func(c *native.Call) (int, error) {
					first := make2()
					var once atomic.Bool
					c.AddCanceller(native.Canceller{Repeat: true, Cancel: func(error) {
						e.Cancel()
						if once.CompareAndSwap(false, true) {
							close(first)
						}
					}})
					stop()
					within(t, "the first, lost cancel", first)
					return 0, e.Run(long, nil)
				})
				e.Free()
				if !errors.Is(err, nativetest.ErrStopped) {
					t.Fatalf("%s: repeated callback: %v", name, err)
				}
			}
		}
	})
}

// N9: a panic in the function reaches the caller with its value and stack, and
// the worker that met it goes on working.
func TestDo_panic(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for range 3 {
			v := recovered(func() {
				do(t.Context(), func(*native.Call) (int, error) { return explode(errGone), nil })
			})
			err, _ := v.(error)
			if !errors.Is(err, errGone) {
				t.Fatalf("recovered %v", v)
			}
			if p, ok := v.(*cancel.PanicError); ok && !strings.Contains(string(p.Stack), "explode") {
				t.Errorf("the stack is not that of the panic:\n%s", p.Stack)
			}
			if n, err := do(t.Context(), func(*native.Call) (int, error) { return 1, nil }); n != 1 || err != nil {
				t.Fatalf("the next call: %d, %v", n, err)
			}
		}
	})
}

//go:noinline
func explode(v any) int { panic(v) }

func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// C7: a callback's panic reaches the caller too, even when it had ended long
// before the call did.
func TestDo_callbackPanic(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			ctx, stop := make()
			v := recovered(func() {
				do(ctx, func(c *native.Call) (int, error) {
					ran := make2()
					c.OnCancel(func(error) { defer close(ran); explode(errGone) })
					stop()
					<-ran
					return 0, nil
				})
			})
			if err, _ := v.(error); !errors.Is(err, errGone) {
				t.Errorf("%s: recovered %v", name, v)
			}
		}
	})
}

// N9: Goexit in the function ends the caller's goroutine, deferred functions and
// all, and the worker goes on.
func TestDo_goexit(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		ended := make(chan bool, 1)
		go func() {
			returned := false
			defer func() { ended <- returned }()
			do(t.Context(), func(*native.Call) (int, error) { runtime.Goexit(); return 0, nil })
			returned = true
		}()
		if within(t, "Goexit", ended) {
			t.Error("Do returned after Goexit")
		}
		if n, err := do(t.Context(), func(*native.Call) (int, error) { return 1, nil }); n != 1 || err != nil {
			t.Fatalf("the next call: %d, %v", n, err)
		}
	})
}

// A context with a deadline of its own, derived from a token's, obeys both.
func TestDo_ownDeadline(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		var tok cancel.Token
		defer tok.Close()
		ctx, stop := context.WithTimeout(cancel.NewContext(t.Context(), &tok), 5*time.Millisecond)
		defer stop()
		_, err := do(ctx, func(c *native.Call) (int, error) {
			return 0, nativetest.Spin(c.Flag().Pointer(), long, nil)
		})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || tok.Cancelled() {
			t.Errorf("its own deadline: %v", err)
		}
	})
}

// A Call that is used after its function has returned says so.
func TestCall_usedAfterReturn(t *testing.T) {
	for _, use := range []func(*native.Call){
		func(c *native.Call) { c.Flag() },
		func(c *native.Call) { c.Cancelled() },
		func(c *native.Call) { c.OnCancel(func(error) {}) },
		func(c *native.Call) { c.AddCanceller(native.Canceller{Cancel: func(error) {}}) },
	} {
		var kept *native.Call
		native.Inline(t.Context(), func(c *native.Call) (int, error) { kept = c; return 0, nil })
		if v := fmt.Sprint(recovered(func() { use(kept) })); !strings.Contains(v, "after its function returned") {
			t.Errorf("recovered %q", v)
		}
	}
}

// C8, N: with the request's own token nothing is allocated.
func TestDo_allocatesNothing(t *testing.T) {
	skipWhereRegisteringAllocates(t)
	bothWays(t, func(t *testing.T, do doFunc) {
		var tok cancel.Token
		defer tok.Close()
		ctx := cancel.NewContext(t.Context(), &tok)
		ignore := func(error) {}
		fn := func(c *native.Call) (int, error) {
			c.OnCancel(ignore)
			return int(nativetest.Read(c.Flag().Pointer())), nil
		}
		if allocs := testing.AllocsPerRun(1000, func() { do(ctx, fn) }); allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
}

func skipWhereRegisteringAllocates(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop items on purpose")
	}
	if asanEnabled {
		t.Skip("AddressSanitizer's checks take the address of OnCancel's function, which is allocated then")
	}
}

// The figures add up.
func TestReadStats(t *testing.T) {
	before := native.ReadStats()
	native.Do(t.Context(), func(*native.Call) (int, error) {
		if s := native.ReadStats(); s.Running != before.Running+1 {
			t.Errorf("running is %d inside a call, was %d", s.Running, before.Running)
		}
		return 0, nil
	})
	native.Do(t.Context(), func(*native.Call) (int, error) { return 0, io.EOF })
	for _, err := range []error{nil, io.EOF} {
		ctx, stop := context.WithCancel(t.Context())
		native.Do(ctx, func(c *native.Call) (int, error) {
			c.OnCancel(func(error) {})
			stop()
			waitFlag(t, c)
			return 0, err
		})
	}
	want := before
	want.Started += 4
	want.Completed += 2
	want.Cancelled++
	want.CompletedDespiteCancel++
	want.Callbacks += 2
	if diff := cmp.Diff(want, native.ReadStats(), cmpopts.IgnoreFields(native.Stats{}, "Workers")); diff != "" {
		t.Errorf("figures differ (-want +got):\n%s", diff)
	}
}
