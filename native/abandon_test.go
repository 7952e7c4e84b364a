//go:build cgo

package native_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N6: after cancel and grace Do returns; goroutine, place, flag and callbacks are the call's
// until C has really returned; the clean-up runs then, with the late result.
func TestAbandonAfter(t *testing.T) {
	for name, make := range contexts(t) {
		p := &native.Pool{Size: 1, Queue: -1}
		block := nativetest.NewBlock()
		var until cancel.Token
		in := new(nativetest.Inside)
		ctx, stop := make()
		go func() { in.Wait(); stop() }()
		called, cleaned := make2(), make3[string]()
		release := make2()
		v, err := native.DoIn(ctx, p, func(c *native.Call) (result int, err error) {
			flag := c.Flag()
			c.AbandonAfter(time.Millisecond)
			c.OnCancel(func(error) { close(called); <-release })
			c.Cleanup(func(late bool) {
				cleaned <- fmt.Sprint(late, result, flag.IsSet())
				block.Free()
			})
			if !nativetest.Stubborn(block, until.Flag().Pointer(), long, in) {
				t.Errorf("%s: the memory was touched", name)
			}
			return 42, nil
		})
		var ne *native.Error
		if v != 0 || !errors.Is(err, native.ErrAbandoned) || !errors.As(err, &ne) || ne.Cause != errGone || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %d, %v", name, v, err)
		}
		within(t, "the callback, which has no end yet", called)
		if s := p.Stats(); s.Abandoned != 1 || s.Reclaimed != 0 || s.Running != 1 {
			t.Errorf("%s: abandoned: %+v", name, s)
		}
		if _, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) { return 0, nil }); !errors.Is(err, native.ErrPoolFull) {
			t.Errorf("%s: its place was given away: %v", name, err)
		}
		if len(cleaned) != 0 {
			t.Errorf("%s: cleaned up while C runs", name)
		}
		until.Cancel(nil)
		close(release)
		if got := within(t, "the clean-up", cleaned); got != "true 42 true" {
			t.Errorf("%s: late, result, flag: %s", name, got)
		}
		closePool(t, p) // the place is free, the worker ended
		if s := p.Stats(); s.Abandoned != 1 || s.Reclaimed != 1 || s.CompletedDespiteCancel != 1 {
			t.Errorf("%s: reclaimed: %+v", name, s)
		}
		until.Close()
	}
}

// N6: a callback that hangs is abandoned like a function that does.
func TestAbandonAfter_callback(t *testing.T) {
	p := &native.Pool{Grace: time.Millisecond}
	ctx, stop := context.WithCancelCause(t.Context())
	release := make2()
	_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
		started := make2()
		c.OnCancel(func(error) { close(started); <-release })
		stop(errGone)
		<-started
		return 1, nil
	})
	if !errors.Is(err, native.ErrAbandoned) || !errors.Is(err, errGone) {
		t.Error(err)
	}
	close(release)
	closePool(t, p)
}

// N6: without opting in, and after taking it back, Do waits for the function.
func TestAbandonAfter_optIn(t *testing.T) {
	pools := map[string]*native.Pool{"default": nil, "taken back": {Grace: 1}}
	for name, p := range pools {
		ctx, stop := context.WithCancelCause(t.Context())
		var returned atomic.Bool
		v, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
			if p != nil {
				c.AbandonAfter(0)
			}
			stop(errGone)
			waitFlag(t, c)
			for range 1000 {
				runtime.Gosched()
			}
			if returned.Load() {
				t.Errorf("%s: Do returned before the function", name)
			}
			return 7, nil
		})
		returned.Store(true)
		if v != 7 || err != nil {
			t.Errorf("%s: %d, %v", name, v, err)
		}
	}
	closePool(t, pools["taken back"])

	// A clean-up comes too late to ask: the caller is about to be told the result.
	late := &native.Pool{Size: 1}
	for range 100 {
		ctx, stop := context.WithCancelCause(t.Context())
		v, err := native.DoIn(ctx, late, func(c *native.Call) (int, error) {
			stop(errGone)
			waitFlag(t, c)
			c.Cleanup(func(late bool) {
				c.AbandonAfter(1)
				for range 100 {
					runtime.Gosched()
				}
			})
			return 7, nil
		})
		if v != 7 || err != nil {
			t.Fatalf("asked for by a clean-up: %d, %v", v, err)
		}
	}
	closePool(t, late)

	// Inline can't return before C does.
	ctx, stop := context.WithCancelCause(t.Context())
	v, err := native.Inline(ctx, func(c *native.Call) (int, error) {
		c.AbandonAfter(1)
		stop(errGone)
		waitFlag(t, c)
		return 7, nil
	})
	if v != 7 || err != nil {
		t.Errorf("Inline: %d, %v", v, err)
	}
}

// N6, N9: what an abandoned call throws is logged and counted, ends nobody, and does not keep
// the clean-ups from running; a late Goexit just ends the call.
func TestAbandonAfter_late(t *testing.T) {
	for name, end := range map[string]func(){
		"panic":  func() { explode(errGone) },
		"Goexit": runtime.Goexit,
	} {
		var logged bytes.Buffer
		p := &native.Pool{Name: "late", Size: 1, Grace: 1, ErrorLog: log.New(&logged, "", 0)}
		ctx, stop := context.WithCancelCause(t.Context())
		release, cleaned := make2(), make3[bool]()
		_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
			c.Cleanup(func(late bool) { cleaned <- late })
			stop(errGone)
			<-release
			end()
			return 0, nil
		})
		if !errors.Is(err, native.ErrAbandoned) {
			t.Errorf("%s: %v", name, err)
		}
		close(release)
		if !within(t, "the clean-up", cleaned) {
			t.Errorf("%s: the clean-up was not told that it is late", name)
		}
		if n, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) { return 1, nil }); n != 1 || err != nil {
			t.Errorf("%s: the next call: %d, %v", name, n, err)
		}
		closePool(t, p)
		s, text := p.Stats(), logged.String()
		if name == "panic" && (s.LatePanics != 1 || !strings.Contains(text, `"late": gone`) || !strings.Contains(text, "explode")) ||
			name == "Goexit" && (s.LatePanics != 0 || text != "") {
			t.Errorf("%s: %d counted, logged: %s", name, s.LatePanics, text)
		}
	}
}

// Clean-ups run last in, first out, once callbacks have ended and before Do returns, after a
// panic too; a panic of theirs reaches the caller.
func TestCall_Cleanup(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		ctx, stop := context.WithCancelCause(t.Context())
		var order []string
		var calledBack atomic.Bool
		v := recovered(func() {
			do(ctx, func(c *native.Call) (int, error) {
				c.Cleanup(func(late bool) { order = append(order, fmt.Sprint("first ", late)) })
				c.Cleanup(func(bool) {
					order = append(order, "second")
					c.Cleanup(func(bool) { order = append(order, "nested") })
					explode(errGone)
				})
				started := make2()
				c.OnCancel(func(error) {
					close(started)
					for range 100 {
						runtime.Gosched()
					}
					calledBack.Store(true)
				})
				c.Cleanup(func(bool) {
					if !calledBack.Load() {
						t.Error("a clean-up ran beside a callback")
					}
				})
				stop(errGone)
				<-started
				return 1, nil
			})
		})
		if got := strings.Join(order, ", "); got != "second, nested, first false" {
			t.Errorf("order: %s", got)
		}
		if err, _ := v.(error); !errors.Is(err, errGone) {
			t.Errorf("recovered %v", v)
		}
		recovered(func() {
			do(t.Context(), func(c *native.Call) (int, error) {
				c.Cleanup(func(bool) { order = nil })
				return explode("x"), nil
			})
		})
		if order != nil {
			t.Error("no clean-up after a panic")
		}
	})
}

// N6 under any interleaving of return, cancel, grace and panic: what Do says is what
// the clean-up was told; each clean-up runs once; as many are reclaimed as
// were abandoned; nothing is left of any.
func TestAbandonAfter_race(t *testing.T) {
	n := 60_000
	if testing.Short() {
		n = 6_000
	}
	slots := cancel.FlagsInUse()
	var abandoned, lateCleanups, cleanups, callbacks atomic.Int64
	p := &native.Pool{Size: 64, ErrorLog: log.New(io.Discard, "", 0)}
	for name := range contexts(t) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n / 24 {
					ctx, stop := oneContext(name)
					yields, spins, exits := rand.IntN(30), rand.IntN(60), rand.IntN(40)
					canceller := make2()
					go func() {
						defer close(canceller)
						for range yields {
							runtime.Gosched()
						}
						stop(errGone)
					}()
					var told atomic.Int32 // 1: in time, 2: late
					over := make2()
					var err error
					var returned bool
					done := make2()
					go func() { // Goexit ends it
						defer close(done)
						defer func() { recover() }()
						_, err = native.DoIn(ctx, p, func(c *native.Call) (int, error) {
							c.AbandonAfter(time.Duration(1 + rand.IntN(20_000)))
							c.OnCancel(func(error) { callbacks.Add(1) })
							c.Cleanup(func(late bool) {
								cleanups.Add(1)
								if late {
									lateCleanups.Add(1)
								}
								if !told.CompareAndSwap(0, map[bool]int32{false: 1, true: 2}[late]) {
									t.Error("cleaned up twice")
								}
								close(over)
							})
							for range spins {
								runtime.Gosched()
								nativetest.Read(c.Flag().Pointer())
							}
							switch exits {
							case 0:
								panic("late or not")
							case 1:
								runtime.Goexit()
							}
							return 1, nil
						})
						returned = true
					}()
					<-done
					switch isAbandoned := errors.Is(err, native.ErrAbandoned); {
					case isAbandoned:
						abandoned.Add(1)
						<-over
						if told.Load() != 2 {
							t.Error("abandoned, and the clean-up was told that it is in time")
						}
					case err == nil || !returned || errors.Is(err, errGone):
						if s := told.Load(); s != 1 && err == nil {
							t.Errorf("returned %v, and the clean-up was told %d", returned, s)
						}
					default:
						t.Error(err)
					}
					<-canceller
					stop(nil)
				}
			})
		}
		wg.Wait()
	}
	closePool(t, p)
	s := p.Stats()
	if s.Abandoned != uint64(abandoned.Load()) || s.Reclaimed != s.Abandoned || lateCleanups.Load() != abandoned.Load() ||
		s.Started != s.Completed+s.Cancelled+s.CompletedDespiteCancel {
		t.Errorf("abandoned %d, late clean-ups %d, figures %+v", abandoned.Load(), lateCleanups.Load(), s)
	}
	if left := cancel.FlagsInUse() - slots; left > native.Followers() {
		t.Errorf("%d slots left behind, %d followers keep one", left, native.Followers())
	}
	t.Logf("%d calls, %d abandoned, %d reclaimed, %d cleaned up, %d callbacks, %d late panics", s.Started, s.Abandoned, s.Reclaimed, cleanups.Load(), callbacks.Load(), s.LatePanics)
}
