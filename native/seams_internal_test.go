//go:build cgo

package native

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// cancelledCall runs f as a call that has been cancelled.
func cancelledCall(t *testing.T, f func(*Call)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	_, err := Inline(ctx, func(c *Call) (int, error) {
		stop()
		for !c.Cancelled() {
			runtime.Gosched()
		}
		f(c)
		return 0, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// N4, N10: a clean-up and a lease that a callback of the call's last clean-up asks for
// are this call's, not the next one's.
func TestCleanup_registeredByCallback(t *testing.T) {
	for range 200 {
		h := NewHandle(1, nil)
		var ran atomic.Bool
		cancelledCall(t, func(c *Call) {
			c.Cleanup(func(bool) {
				c.OnCancel(func(error) {
					runtime.Gosched()
					c.Cleanup(func(bool) { ran.Store(true) })
					if _, err := h.Use(c); err != nil {
						t.Error(err)
					}
				})
			})
		})
		if !ran.Load() || h.word.Load()/lease != 0 {
			t.Fatalf("clean-up run: %v; leases left: %d", ran.Load(), h.word.Load()/lease)
		}
		h.Retire()
	}
}

// N10: no callback runs beside a clean-up that was registered before it, and that
// may free what it uses.
func TestCleanup_besideNoCallback(t *testing.T) {
	for range 200 {
		var running, beside atomic.Bool
		cancelledCall(t, func(c *Call) {
			c.Cleanup(func(bool) { beside.Store(running.Load()) })
			c.Cleanup(func(bool) {
				inside := make(chan struct{})
				c.OnCancel(func(error) {
					running.Store(true)
					close(inside)
					for range 100 {
						runtime.Gosched()
					}
					running.Store(false)
				})
				<-inside
			})
		})
		if beside.Load() {
			t.Fatal("a clean-up ran while a callback did")
		}
	}
}

// N2: a cancel that comes when the outcome has been decided does not change it.
func TestN2_decidedOnce(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	failed := errors.New("failed")
	_, err := Inline(ctx, func(c *Call) (int, error) {
		first := c.decide(true)
		stop()
		for !c.Cancelled() {
			runtime.Gosched()
		}
		if again := c.decide(false); first != Completed || again != Completed {
			t.Errorf("decided %v, then %v", first, again)
		}
		return 0, failed
	})
	if err != failed {
		t.Errorf("error %v", err)
	}
}

// N3, N4: a callback that somebody registers, against the rules, when the function has returned and the caller
// has yet to be told, is joined as well, and the request gets its Call back.
func TestCall_registeredTooLate(t *testing.T) {
	tok := new(cancel.Token)
	c := enterGoverned(tok)
	if p := c.leave(); p != nil {
		t.Error(p)
	}
	var ended atomic.Bool
	c.OnCancel(func(error) {
		for range 100 {
			runtime.Gosched()
		}
		ended.Store(true)
	})
	tok.Cancel(nil)
	c.recycle()
	if !ended.Load() || c.started != 0 {
		t.Errorf("the callback has ended: %v; the next call begins with %d", ended.Load(), c.started)
	}
	tok.Close()
	tok.Reset() // panics if it is in use

	// And between two calls of a token that is cancelled then: it is nobody's, and the token is given back.
	enterGoverned(tok).recycle()
	tok.OnCancelFirst(func(error) {})
	tok.Cancel(nil)
	tok.Drain()
	if enterGoverned(tok) != nil {
		t.Error("a call of a cancelled token")
	}
	tok.Close()
	tok.Reset()
}

// A panicking context panics in the method that is named.
type panickingContext struct {
	context.Context
	method string
}

func (c panickingContext) Err() error {
	if c.method == "Err" {
		panic("Err")
	}
	return c.Context.Err()
}

func (c panickingContext) Done() <-chan struct{} {
	if c.method == "Done" {
		panic("Done")
	}
	return c.Context.Done()
}

// N7, N9: a context that panics, or is nil, costs the pool no place.
func TestDoIn_contextPanics(t *testing.T) {
	base, stop := context.WithCancel(context.Background())
	defer stop()
	for _, busy := range []bool{false, true} {
		for name, ctx := range map[string]context.Context{
			"nil": nil, "Err": panickingContext{base, "Err"}, "Done": panickingContext{base, "Done"},
		} {
			p := &Pool{Size: 1}
			if busy {
				if err := p.acquire(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				_, _ = DoIn(ctx, p, func(*Call) (int, error) { return 0, nil })
			}()
			if busy {
				p.release()
			}
			if n := p.load.Load(); n != 0 {
				t.Errorf("%s, busy %v: load %d: the place is lost", name, busy, n)
			}
		}
	}
}

// N4: a context that panics leaves nothing of its own to the next call.
func TestInline_contextPanicsLate(t *testing.T) {
	far, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	for range 100 {
		func() {
			defer func() { _ = recover() }()
			_, _ = Inline(afterFuncPanics{far}, func(*Call) (int, error) { return 0, nil })
		}()
		_, err := Inline(context.Background(), func(c *Call) (int, error) {
			if c.own != nil && !c.own.deadline().IsZero() {
				t.Error("the deadline of an earlier call")
			}
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

type afterFuncPanics struct{ context.Context }

func (afterFuncPanics) Value(any) any                { return nil } // not the standard library's
func (afterFuncPanics) AfterFunc(func()) func() bool { panic("AfterFunc") }
