//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// Where foreign contexts, cancellers, traces and lent Calls meet.

// A badDeadline is a context that panics or exits when it is asked for its deadline.
type badDeadline struct {
	context.Context
	f func()
}

func (c badDeadline) Deadline() (t time.Time, ok bool) { c.f(); return }

// N9: a context whose Deadline panics or exits, asked when the function has failed, is its caller's business:
// the worker goes on, the callbacks are joined, and the place is given back.
func TestForeignContext_deadline(t *testing.T) {
	base, end := context.WithCancel(t.Context())
	defer end()
	p := &native.Pool{Size: 1}
	ways := map[string]func(){"panics": func() { explode(errGone) }, "exits": runtime.Goexit}
	functions := map[string]func() (int, error){
		"fails":  func() (int, error) { return 0, errOther },
		"panics": func() (int, error) { return explode(errOther), nil },
		"exits":  func() (int, error) { runtime.Goexit(); return 0, nil },
	}
	for way, f := range ways {
		for name, fn := range functions {
			for _, ctx := range []context.Context{badDeadline{base, f}, badDeadline{foreignContext{Context: base, stop: func() bool { return true }}, f}} {
				cleaned := false
				v := goexits(t, func() {
					native.DoIn(ctx, p, func(c *native.Call) (int, error) {
						c.Cleanup(func(bool) { cleaned = true })
						c.OnCancel(func(error) { t.Error("a late callback") })
						return fn()
					})
				})
				if v == true || !cleaned {
					t.Errorf("the function %s, Deadline %s: %v, cleaned up: %v", name, way, v, cleaned)
				}
			}
		}
	}
	usable(t, p)
}

// N9, N10: a Reset that exits, though it must not (t.Fatal of a test does), costs the caller's
// goroutine, and nothing else: the leases end, the clean-ups run, and the next call is clean.
func TestAddCanceller_resetExits(t *testing.T) {
	p := &native.Pool{Size: 1}
	for name, do := range map[string]doFunc{
		"Inline": native.Inline[int],
		"DoIn": func(ctx context.Context, fn func(*native.Call) (int, error)) (int, error) {
			return native.DoIn(ctx, p, fn)
		},
	} {
		for _, traced := range []bool{false, true} {
			var tok cancel.Token
			ctx := cancel.NewContext(t.Context(), &tok)
			if traced {
				ctx = native.WithTrace(ctx, &native.Trace{})
			}
			h := native.NewHandle(1, func(int) {})
			var after []string
			v := goexits(t, func() {
				do(ctx, func(c *native.Call) (int, error) {
					h.Use(c)
					c.AbandonAfter(time.Hour) // decided once, before the clean-ups
					c.Cleanup(func(bool) { after = append(after, "clean-up"); runtime.Goexit() })
					called := make(chan bool, 2)
					cancelled := func(error) { called <- true }
					c.AddCanceller(native.Canceller{Cancel: cancelled, Reset: runtime.Goexit})
					c.AddCanceller(native.Canceller{Cancel: cancelled, Reset: func() { after = append(after, "reset") }})
					tok.Cancel(errGone)
					within(t, "a cancel", called)
					within(t, "the other", called)
					return 0, nil
				})
			})
			if v != false {
				t.Errorf("%s: %v", name, v)
			}
			closed, stop := context.WithTimeout(t.Context(), 20*time.Second)
			if err := h.Close(closed); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			stop()
			do(t.Context(), func(c *native.Call) (int, error) {
				after = append(after, "next")
				c.Cleanup(func(bool) {})
				return 0, nil
			})
			if got := fmt.Sprint(after); got != "[reset clean-up next]" {
				t.Errorf("%s, traced %v: %s", name, traced, got)
			}
			tok.Close()
			tok.Reset() // panics if it is borrowed still
		}
	}
	usable(t, p)
}

// C7, N9: the panic of a callback, or of a Reset, is not lost when a Reset or a clean-up exits after it.
func TestAddCanceller_panicThenExit(t *testing.T) {
	nothing := func() {}
	for name, k := range map[string]struct {
		cancel         func()
		reset, cleanUp func()
	}{
		"callback, then Reset":    {func() { explode(errGone) }, runtime.Goexit, nothing},
		"callback, then clean-up": {func() { explode(errGone) }, nothing, runtime.Goexit},
		"Reset, then clean-up":    {nothing, func() { explode(errGone) }, runtime.Goexit},
	} {
		bothWays(t, func(t *testing.T, do doFunc) {
			ctx, stop := context.WithCancelCause(t.Context())
			v := goexits(t, func() {
				do(ctx, func(c *native.Call) (int, error) {
					called := make2()
					c.Cleanup(func(bool) { k.cleanUp() })
					c.AddCanceller(native.Canceller{Cancel: func(error) { close(called); k.cancel() }, Reset: k.reset})
					stop(errGone)
					within(t, "the cancel", called)
					return 0, nil
				})
			})
			if err, _ := v.(error); !errors.Is(err, errGone) {
				t.Errorf("%s: %v", name, v)
			}
		})
	}
}

// N6, N9: a Reset that exits in a call that has been abandoned: it is reclaimed all the same.
func TestAddCanceller_resetExitsLate(t *testing.T) {
	p := &native.Pool{Size: 1}
	ctx, stop := context.WithCancelCause(t.Context())
	release := make2()
	_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
		c.AbandonAfter(time.Nanosecond)
		called := make2()
		c.AddCanceller(native.Canceller{Cancel: func(error) { close(called) }, Reset: runtime.Goexit})
		stop(errGone)
		within(t, "the cancel", called)
		<-release
		return 0, nil
	})
	if !errors.Is(err, native.ErrAbandoned) {
		t.Error(err)
	}
	close(release)
	usable(t, p)
	if s := p.Stats(); s.Reclaimed != 1 {
		t.Errorf("%+v", s)
	}
}

// N11: a Done that panics or exits reaches the caller, and loses neither the outer trace's nor the Reclaimed of
// an abandoned call.
func TestN11_hookPanics(t *testing.T) {
	for way, f := range map[string]func(){"panics": func() { explode(errGone) }, "exits": runtime.Goexit} {
		p := &native.Pool{Size: 1}
		tr, done, reclaimed := receipts()
		ctx, stop := context.WithCancelCause(t.Context())
		ctx = native.WithTrace(ctx, tr)
		ctx = native.WithTrace(ctx, &native.Trace{Done: func(native.Receipt) { f() }})
		release := make2()
		v := goexits(t, func() {
			native.DoIn(ctx, p, func(c *native.Call) (int, error) {
				c.AbandonAfter(time.Nanosecond)
				stop(errGone)
				<-release
				return 0, nil
			})
		})
		if v == true {
			t.Errorf("%s: Do has returned", way)
		}
		close(release)
		if r := within(t, "Done of the outer trace", done); r.Outcome != native.Abandoned {
			t.Errorf("%s: %+v", way, r)
		}
		if r := within(t, "Reclaimed", reclaimed); r.Outcome != native.CompletedDespiteCancel {
			t.Errorf("%s: %+v", way, r)
		}
		usable(t, p)
	}
}

// N3, N4: what a token keeps is lent to one call at a time, whoever makes them: beside each other, inside
// each other, from a callback, from a worker, traced or not, while the token is closed.
func TestInline_lentEverywhere(t *testing.T) {
	for range 200 {
		tok := new(cancel.Token)
		ctx := cancel.NewContext(context.Background(), tok)
		traced := native.WithTrace(ctx, &native.Trace{})
		var calls atomic.Int64
		var run func(ctx context.Context, depth int) (int, error)
		run = func(ctx context.Context, depth int) (int, error) {
			return native.Inline(ctx, func(c *native.Call) (int, error) {
				calls.Add(1)
				c.Flag()
				c.OnCancel(func(error) { run(traced, 1) })
				if depth > 0 {
					run(ctx, depth-1)
					native.Do(ctx, func(c *native.Call) (int, error) { run(traced, depth-1); return 0, nil })
				}
				if c.Cancelled() != tok.Cancelled() && !tok.Cancelled() {
					t.Error("another token's call")
				}
				return 0, nil
			})
		}
		parallel(4, func(i int) {
			switch i {
			case 0:
				run(ctx, 2)
			case 1:
				run(traced, 2)
			case 2:
				tok.Cancel(errGone)
			case 3:
				tok.Close()
			}
		})
		tok.Drain()
		tok.Reset() // panics if it is borrowed still
	}
}
