//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// sticky is the canceller of a sticky engine, which counts.
func sticky(e *nativetest.Engine, cancels, resets *atomic.Int32) native.Canceller {
	return native.Canceller{
		Cancel: func(error) { e.Cancel(); cancels.Add(1) },
		Reset:  func() { e.Reset(); resets.Add(1) },
	}
}

// N4: a cancel that sticks, as the library was done already, is reset once before Do returns;
// one that never came is not.
func TestAddCanceller_reset(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			e := nativetest.NewEngine(nativetest.Sticky)
			var cancels, resets atomic.Int32
			ctx, stop := make()
			_, err := do(ctx, func(c *native.Call) (int, error) {
				c.AddCanceller(sticky(e, &cancels, &resets))
				return 0, e.Run(0, nil)
			})
			if err != nil || cancels.Load() != 0 || resets.Load() != 0 {
				t.Errorf("%s, not cancelled: %v, %d cancels, %d resets", name, err, cancels.Load(), resets.Load())
			}
			_, err = do(ctx, func(c *native.Call) (int, error) {
				c.AddCanceller(sticky(e, &cancels, &resets))
				err := e.Run(0, nil)
				stop()
				eventually(t, "the late cancel", func() bool { return cancels.Load() == 1 })
				return 0, err
			})
			if err != nil || resets.Load() != 1 {
				t.Errorf("%s, cancelled late: %v, %d resets", name, err, resets.Load())
			}
			if err := e.Run(time.Microsecond, nil); err != nil {
				t.Errorf("%s: the next call on the same handle: %v", name, err)
			}
			e.Free()
		}
	})
}

// A Reset comes after every callback of the call and before its clean-ups, whatever ended
// the function and Cancel; each runs once, and a panic keeps none from running.
func TestAddCanceller_order(t *testing.T) {
	for end, f := range map[string]func(){
		"return": func() {},
		"panic":  func() { explode("the function") },
		"Goexit": runtime.Goexit,
	} {
		for _, cancel := range []string{"return", "panic", "Goexit"} {
			bothWays(t, func(t *testing.T, do doFunc) {
				var mu sync.Mutex
				var order []string
				say := func(what string) { mu.Lock(); defer mu.Unlock(); order = append(order, what) }
				ctx, stop := context.WithCancelCause(t.Context())
				over := make2()
				var thrown any
				go func() {
					defer close(over)
					defer func() { thrown = recover() }()
					do(ctx, func(c *native.Call) (int, error) {
						c.Cleanup(func(bool) { say("clean-up") })
						slow, first := make2(), make2()
						c.AddCanceller(native.Canceller{
							Cancel: func(error) {
								close(first)
								switch cancel {
								case "panic":
									explode("Cancel")
								case "Goexit":
									runtime.Goexit()
								}
							},
							Reset: func() { say("reset"); explode("Reset") },
						})
						c.AddCanceller(native.Canceller{Cancel: func(error) {}, Reset: func() { say("reset") }})
						c.OnCancel(func(error) { <-slow; say("callback") })
						stop(errGone)
						within(t, "Cancel", first)
						waitFlag(t, c)
						go func() { runtime.Gosched(); close(slow) }()
						f()
						return 0, nil
					})
				}()
				within(t, "Do", over)
				if got := strings.Join(order, ", "); got != "callback, reset, reset, clean-up" &&
					got != "callback, reset, clean-up" { // the second cancel may have been prevented
					t.Errorf("%s, Cancel ends by %s: %s", end, cancel, got)
				}
				want := map[string]string{"return": "Reset", "panic": "Cancel", "Goexit": "Reset"}[cancel]
				if end == "panic" {
					want = "the function" // Inline lets it pass, and the other follows
				}
				if got := fmt.Sprintf("%.20v", thrown); end != "Goexit" && !strings.HasPrefix(got, want) &&
					!(end == "panic" && strings.Contains(t.Name(), "Inline") && thrown != nil) {
					t.Errorf("%s, Cancel ends by %s: recovered %s, want %s's panic", end, cancel, got, want)
				}
			})
		}
	}
}

// N5: a cancel that a library clears as it starts is asserted again.
func TestAddCanceller_reassert(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, make := range contexts(t) {
			for _, kind := range []nativetest.Kind{nativetest.Clears, nativetest.Lost} {
				e := nativetest.NewEngine(kind)
				ctx, stop := make()
				_, err := do(ctx, func(c *native.Call) (int, error) {
					var cancels atomic.Int32
					c.AddCanceller(native.Canceller{Cancel: func(error) { e.Cancel(); cancels.Add(1) }, Repeat: true})
					stop()
					eventually(t, "the first cancel, which is lost", func() bool { return cancels.Load() > 0 })
					return 0, e.Run(long, nil)
				})
				if !errors.Is(err, nativetest.ErrStopped) || !errors.Is(err, errGone) {
					t.Errorf("%s: %v", name, err)
				}
				e.Free()
			}
		}
	})
}

// A Reset that calls stop does not wait for itself, and whoever else does waits for it.
func TestAddCanceller_resetStops(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		ctx, cancelCall := oneContext("token")
		defer cancelCall(nil)
		resets, landed, over := 0, make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := do(ctx, func(c *native.Call) (int, error) {
				var stop func()
				inside, calling, other := make(chan struct{}), make(chan struct{}), make(chan int)
				stop = c.AddCanceller(native.Canceller{
					Cancel: func(error) { close(landed) },
					Reset: func() {
						close(inside)
						<-calling
						for range 1000 { // the other would be back by now
							runtime.Gosched()
						}
						stop()
						resets++
					},
				})
				cancelCall(errGone)
				<-landed
				go func() {
					<-inside
					close(calling)
					stop()
					n := resets
					other <- n
				}()
				stop()
				if n := <-other; n != 1 {
					t.Errorf("stop returned beside Reset: %d", n)
				}
				return 1, nil
			})
			over <- err
		}()
		if err := within(t, "a Reset that calls stop", over); err != nil || resets != 1 {
			t.Errorf("%v, %d resets", err, resets)
		}
	})
}

// stop joins and resets before the function returns, once, so that the handle can be given
// back; from inside Cancel it resets nothing, as the library is still running.
func TestAddCanceller_stop(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		e := nativetest.NewEngine(nativetest.Sticky)
		defer e.Free()
		ctx, cancelCall := context.WithCancelCause(t.Context())
		var cancels, resets atomic.Int32
		do(ctx, func(c *native.Call) (int, error) {
			stop := c.AddCanceller(sticky(e, &cancels, &resets))
			cancelCall(errGone)
			eventually(t, "Cancel", func() bool { return cancels.Load() == 1 })
			var both sync.WaitGroup
			both.Go(stop)
			both.Go(stop)
			both.Wait()
			if err := e.Run(0, nil); err != nil || resets.Load() != 1 {
				t.Errorf("after stop: %v, %d resets", err, resets.Load())
			}
			c.AddCanceller(sticky(e, &cancels, &resets))() // late, stopped at once
			if err := e.Run(0, nil); err != nil {
				t.Errorf("after the second stop: %v", err)
			}
			return 0, nil
		})
		if cancels.Load() != resets.Load() {
			t.Errorf("%d cancels, %d resets", cancels.Load(), resets.Load())
		}

		ctx, cancelCall = context.WithCancelCause(t.Context())
		var ended atomic.Bool
		do(ctx, func(c *native.Call) (int, error) {
			started, release := make2(), make2()
			stop := c.AddCanceller(native.Canceller{
				Cancel: func(error) { close(started); <-release; ended.Store(true) },
				Reset: func() {
					if !ended.Load() {
						t.Error("a reset beside Cancel")
					}
				},
			})
			cancelCall(errGone)
			within(t, "Cancel", started)
			go func() { runtime.Gosched(); close(release) }()
			if stop(); !ended.Load() {
				t.Error("stop returned beside Cancel")
			}
			return 0, nil
		})

		ctx, cancelCall = context.WithCancelCause(t.Context())
		cancels.Store(0)
		resets.Store(0)
		_, err := do(ctx, func(c *native.Call) (int, error) {
			var stop func()
			armed, called := make2(), make2()
			stop = c.AddCanceller(native.Canceller{
				Cancel: func(error) { <-armed; e.Cancel(); stop(); close(called) },
				Repeat: true,
				Reset:  func() { e.Reset(); resets.Add(1) },
			})
			close(armed)
			cancelCall(errGone)
			within(t, "Cancel", called)
			return 0, e.Run(long, nil)
		})
		if !errors.Is(err, nativetest.ErrStopped) || resets.Load() != 1 {
			t.Errorf("stopped from inside: %v, %d resets", err, resets.Load())
		}
	})
}

// N6: an abandoned call is reset when C has really returned, not when Do has.
func TestAddCanceller_abandoned(t *testing.T) {
	p := &native.Pool{Size: 1, Grace: time.Millisecond}
	ctx, stop := context.WithCancelCause(t.Context())
	var resets atomic.Int32
	release := make2()
	_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
		first := make2()
		c.AddCanceller(native.Canceller{Cancel: func(error) { close(first) }, Reset: func() { resets.Add(1) }})
		stop(errGone)
		within(t, "Cancel", first)
		<-release
		return 0, nil
	})
	if !errors.Is(err, native.ErrAbandoned) || resets.Load() != 0 {
		t.Errorf("abandoned: %v, %d resets", err, resets.Load())
	}
	close(release)
	closePool(t, p)
	if resets.Load() != 1 {
		t.Errorf("%d resets once C has returned", resets.Load())
	}
}

// N3: what is registered by a Reset belongs to the call too.
func TestAddCanceller_registeredByReset(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for _, cleanUp := range []bool{false, true} {
			ctx, stop := context.WithCancelCause(t.Context())
			var ended, cleaned atomic.Bool
			do(ctx, func(c *native.Call) (int, error) {
				first := make2()
				c.AddCanceller(native.Canceller{Cancel: func(error) { close(first) }, Reset: func() {
					started := make2()
					c.OnCancel(func(error) {
						close(started)
						for range 100 {
							runtime.Gosched()
						}
						ended.Store(true)
					})
					within(t, "the callback of a cancelled call", started)
					if cleanUp {
						c.Cleanup(func(bool) { cleaned.Store(ended.Load()) })
					}
				}})
				stop(errGone)
				within(t, "Cancel", first)
				return 0, nil
			})
			if !ended.Load() || cleanUp && !cleaned.Load() {
				t.Errorf("clean-up %v: the callback has ended: %v; the clean-up came after it: %v", cleanUp, ended.Load(), cleaned.Load())
			}
		}
	})
}

// N4 under any interleaving: calls that follow each other on a sticky engine, cancelled
// at any moment; the one that nobody cancels is never stopped. The engine goes from call
// to call by stop, or by Do's return.
func TestAddCanceller_race(t *testing.T) {
	n := 12_000
	if testing.Short() {
		n = 1_500
	}
	bothWays(t, func(t *testing.T, do doFunc) {
		for name := range contexts(t) {
			var wg sync.WaitGroup
			for g := range 3 {
				wg.Go(func() {
					e := nativetest.NewEngine(nativetest.Sticky)
					defer e.Free()
					for i := range n / 27 {
						raceOneCanceller(t, name, do, e, i+g)
					}
				})
			}
			wg.Wait()
		}
	})
}

func raceOneCanceller(t *testing.T, name string, do doFunc, e *nativetest.Engine, i int) {
	ctx, stop := oneContext(name)
	defer stop(nil)
	canceller := make2()
	go func() {
		defer close(canceller)
		for range i % 40 {
			runtime.Gosched()
		}
		stop(errGone)
	}()
	var cancels, resets atomic.Int32
	_, err := do(ctx, func(c *native.Call) (int, error) {
		k := sticky(e, &cancels, &resets)
		k.Repeat = i%3 == 0
		release := c.AddCanceller(k)
		err := e.Run(time.Duration(i%7)*time.Microsecond, nil)
		if i%2 == 0 {
			release()
			if err := e.Run(0, nil); err != nil {
				t.Errorf("a call on an engine that was given back was stopped")
			}
		}
		return 0, err
	})
	if err != nil && !(errors.Is(err, errGone) && errors.Is(err, nativetest.ErrStopped)) && cancels.Load() != 0 {
		t.Errorf("call failed: %v", err)
	}
	if cancels.Load() > 0 != (resets.Load() == 1) {
		t.Errorf("%d cancels, %d resets", cancels.Load(), resets.Load())
	}
	if err := e.Run(0, nil); err != nil {
		t.Errorf("the next call on the same engine: %v", err)
	}
	<-canceller
}
