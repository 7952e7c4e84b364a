//go:build cgo

package native_test

import (
	"context"
	"errors"
	"log"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// Foreign code that runs at a call's end, on a goroutine of ours: clean-ups, what a handle is
// freed with, contexts that are not the standard library's, the writer of a log.

// usable fails the test unless p, which has one place, takes another call and drains.
func usable(t *testing.T, p *native.Pool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	if v, err := native.DoIn(ctx, p, func(*native.Call) (int, error) { return 1, nil }); v != 1 || err != nil {
		t.Errorf("the next call: %d, %v", v, err)
	}
	closePool(t, p)
	if load, credit := native.PoolState(p); load != 0 || credit != 0 {
		t.Errorf("load %d, credit %d: a place is lost", load, credit)
	}
}

// goexits runs f on a goroutine that it ends, and says whether it did not.
func goexits(t *testing.T, f func()) (v any) {
	t.Helper()
	over := make(chan any, 1)
	go func() {
		returned := false
		defer func() {
			if v := recover(); v != nil {
				over <- v
			} else {
				over <- returned
			}
		}()
		f()
		returned = true
	}()
	return within(t, "Goexit", over)
}

// N7, N9, N10: a clean-up, or a handle's free function, that calls runtime.Goexit ends the
// caller's goroutine; the other clean-ups and the callbacks have been seen to, and place, worker, token and Call are given back.
func TestCleanup_goexit(t *testing.T) {
	slots := cancel.FlagsInUse()
	p := &native.Pool{Size: 1}
	for name, do := range map[string]doFunc{
		"Inline": native.Inline[int],
		"DoIn": func(ctx context.Context, fn func(*native.Call) (int, error)) (int, error) {
			return native.DoIn(ctx, p, fn)
		},
	} {
		for kind := range contexts(t) {
			for range 3 {
				ctx, stop := oneContext(kind)
				h := native.NewHandle(1, func(int) { runtime.Goexit() })
				var first bool
				if v := goexits(t, func() {
					do(ctx, func(c *native.Call) (int, error) {
						c.Flag()
						c.Cleanup(func(bool) { first = true })
						c.OnCancel(func(error) { t.Error("a late callback") })
						_, err := h.Use(c)
						h.Retire()
						return 0, err
					})
				}); v != false {
					t.Errorf("%s under %s: %v", name, kind, v)
				}
				if !first {
					t.Errorf("%s under %s: the other clean-up was left out", name, kind)
				}
				// The token is not borrowed any more: the flag goes back.
				if v, err := do(ctx, func(*native.Call) (int, error) { return 1, nil }); v != 1 || err != nil {
					t.Errorf("%s under %s: the next call: %d, %v", name, kind, v, err)
				}
				stop(nil)
			}
		}
	}
	usable(t, p)
	if left := cancel.FlagsInUse() - slots; left > native.Followers() {
		t.Errorf("%d slots left behind, %d followers keep one", left, native.Followers())
	}
}

// C7, N9: a panic that is there when a clean-up calls Goexit is not lost.
func TestCleanup_goexitAndPanic(t *testing.T) {
	p := &native.Pool{Size: 1}
	for name, do := range map[string]doFunc{
		"Inline": native.Inline[int],
		"DoIn": func(ctx context.Context, fn func(*native.Call) (int, error)) (int, error) {
			return native.DoIn(ctx, p, fn)
		},
	} {
		for _, before := range []bool{true, false} {
			v := goexits(t, func() {
				do(t.Context(), func(c *native.Call) (int, error) {
					panics := func(bool) { explode(errGone) }
					if !before {
						c.Cleanup(panics)
					}
					c.Cleanup(func(bool) { runtime.Goexit() })
					if before {
						c.Cleanup(panics)
					}
					return 0, nil
				})
			})
			if err, _ := v.(error); !errors.Is(err, errGone) {
				t.Errorf("%s, before %v: %v", name, before, v)
			}
		}
	}
	usable(t, p)
}

// A foreignContext is not the standard library's: it registers by itself.
type foreignContext struct {
	context.Context
	stop  func() bool
	cause func() error // of Err and Cause
	fire  *func()
}

func (c foreignContext) Value(any) any { return nil }

func (c foreignContext) Err() error {
	if c.cause != nil {
		return c.cause()
	}
	return c.Context.Err()
}

func (c foreignContext) AfterFunc(f func()) func() bool {
	if c.fire != nil {
		*c.fire = f
	}
	return c.stop
}

// C7, N9: a context whose stop function panics, or exits, is the caller's business, and no
// late end of it reaches a later call.
func TestForeignContext_stop(t *testing.T) {
	base, end := context.WithCancel(t.Context())
	defer end()
	p := &native.Pool{Size: 1}
	for name, do := range map[string]doFunc{
		"Inline": native.Inline[int],
		"DoIn": func(ctx context.Context, fn func(*native.Call) (int, error)) (int, error) {
			return native.DoIn(ctx, p, fn)
		},
	} {
		for range 3 {
			var fire func()
			var gone error
			v := recovered(func() {
				do(foreignContext{Context: base, fire: &fire, cause: func() error { return gone }, stop: func() bool { explode(errGone); return true }},
					func(c *native.Call) (int, error) { return 0, nil })
			})
			if err, _ := v.(error); !errors.Is(err, errGone) {
				t.Errorf("%s: recovered %v", name, v)
			}
			_, err := do(base, func(c *native.Call) (int, error) {
				gone = errGone
				fire()
				runtime.Gosched()
				if c.Cancelled() || c.Flag().IsSet() {
					t.Errorf("%s: the earlier call's context has cancelled this one", name)
				}
				return 0, nil
			})
			if err != nil {
				t.Error(err)
			}
			if v := goexits(t, func() {
				do(foreignContext{Context: base, stop: func() bool { runtime.Goexit(); return true }},
					func(c *native.Call) (int, error) { return 0, nil })
			}); v != false {
				t.Errorf("%s: Goexit: %v", name, v)
			}
		}
	}
	usable(t, p)
	runtime.GC()
}

// C7: a context that panics when it is asked for its cause, on a goroutine that nobody waits for, cancels the
// call, whose caller gets the panic.
func TestForeignContext_cause(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		ctx, fire := causing(t, func() { explode(errGone) })
		v := recovered(func() {
			do(ctx, func(c *native.Call) (int, error) {
				fire()
				waitFlag(t, c)
				return 0, nil
			})
		})
		if err, _ := v.(error); !errors.Is(err, errGone) {
			t.Errorf("recovered %v", v)
		}
	})
}

// C7: one that exits there cancels the call all the same, whose caller gets its result.
func TestForeignContext_causeExits(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for range 2 { // the next call has the same follower
			ctx, fire := causing(t, runtime.Goexit)
			v, err := do(ctx, func(c *native.Call) (int, error) {
				fire()
				waitFlag(t, c)
				return 7, nil
			})
			if v != 7 || err != nil {
				t.Errorf("%v, %v", v, err)
			}
		}
		if _, err := do(context.Background(), func(c *native.Call) (int, error) {
			if c.Cancelled() {
				t.Error("cancelled by the context of the call before")
			}
			return 0, nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// causing returns a context that fire ends. Asked for its cause then, it calls f, on a goroutine that nobody
// waits for.
func causing(t *testing.T, f func()) (ctx foreignContext, fire func()) {
	var end func()
	asked := -1000
	ctx = foreignContext{
		Context: t.Context(), fire: &end,
		stop: func() bool { return false },
		cause: func() error {
			switch asked++; {
			case asked > 2: // the first two are context.AfterFunc's, on the canceller's goroutine
				f()
			case asked > 0:
				return context.Canceled
			}
			return nil
		},
	}
	return ctx, func() { asked = 0; end() }
}

type foreignWriter func()

func (w foreignWriter) Write(b []byte) (int, error) { w(); return len(b), nil }

// N6, N9: the log of an abandoned call's panic is foreign code on the worker; it costs neither
// the program, nor worker or place.
func TestErrorLog_foreign(t *testing.T) {
	for name, w := range map[string]foreignWriter{
		"panics": func() { panic("the log") },
		"exits":  runtime.Goexit,
	} {
		p := &native.Pool{Size: 1, ErrorLog: log.New(w, "", 0)}
		ctx, stop := context.WithCancelCause(t.Context())
		release := make2()
		_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
			c.AbandonAfter(time.Nanosecond)
			stop(errGone)
			<-release
			return explode(errGone), nil
		})
		if !errors.Is(err, native.ErrAbandoned) {
			t.Errorf("%s: %v", name, err)
		}
		close(release)
		usable(t, p)
		if s := p.Stats(); s.LatePanics != 1 || s.Reclaimed != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// N3: a context that panics as its call is about to be abandoned does so after the call.
func TestAbandonAfter_contextPanics(t *testing.T) {
	base, end := context.WithCancel(t.Context())
	defer end()
	p := &native.Pool{Size: 1}
	var fire func()
	var over bool
	ctx := foreignContext{Context: base, fire: &fire, stop: func() bool { return false }}
	var asked atomic.Int32
	asked.Store(-1000)
	ctx.cause = func() error {
		switch n := asked.Add(1); {
		case n > 3: // the first three are AfterFunc's and its function's
			explode(errGone)
		case n > 0:
			return context.Canceled
		}
		return nil
	}
	v := recovered(func() {
		native.DoIn(ctx, p, func(c *native.Call) (int, error) {
			c.AbandonAfter(time.Nanosecond)
			c.Cleanup(func(bool) { over = true })
			asked.Store(0)
			fire()
			for asked.Load() < 4 { // the caller has asked
				runtime.Gosched()
			}
			for range 1000 { // and would be back
				runtime.Gosched()
			}
			return 0, nil
		})
	})
	if !over || v == nil || !strings.Contains(v.(error).Error(), errGone.Error()) {
		t.Errorf("over: %v, recovered %v", over, v)
	}
	usable(t, p)
}
