//go:build cgo

package native_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N3, N4: the calls of a request share one Call when they come one after the other, and
// nothing else: one inside another, and those beside it, have their own.
func TestInline_nested(t *testing.T) {
	tok := new(cancel.Token)
	defer tok.Close()
	ctx := cancel.NewContext(t.Context(), tok)
	inline := func(f func(c *native.Call)) {
		if _, err := native.Inline(ctx, func(c *native.Call) (int, error) { f(c); return 0, nil }); err != nil {
			t.Error(err)
		}
	}
	var ran []string
	inline(func(outer *native.Call) {
		outer.OnCancel(func(error) { t.Error("a callback, and nobody has cancelled") })
		outer.Cleanup(func(bool) { ran = append(ran, "outer") })
		inline(func(inner *native.Call) {
			if inner == outer {
				t.Fatal("two calls that run at once are one Call")
			}
			inner.OnCancel(func(error) { t.Error("the same") })
			inner.Cleanup(func(bool) { ran = append(ran, "inner") })
		})
		if len(ran) != 1 || ran[0] != "inner" {
			t.Errorf("clean-ups when the inner call is over: %v", ran)
		}
	})
	if len(ran) != 2 {
		t.Errorf("clean-ups: %v", ran)
	}
	var first *native.Call
	inline(func(c *native.Call) { first = c })
	inline(func(c *native.Call) {
		if c != first {
			t.Error("the request's next call went to the pool for a Call")
		}
	})
}

// N3, N4: a request that is closed under its calls takes no Call away from one that runs. The
// race detector sees who touches a Call that is another's.
func TestInline_closedUnderway_race(t *testing.T) {
	n := 4_000
	if testing.Short() {
		n = 400
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range n {
				tok := new(cancel.Token)
				ctx := cancel.NewContext(context.Background(), tok)
				var calls sync.WaitGroup
				for range 2 {
					calls.Go(func() {
						for range 3 {
							cleaned := 0
							_, err := native.Inline(ctx, func(c *native.Call) (int, error) {
								c.Cleanup(func(bool) { cleaned++ })
								c.OnCancel(func(error) {})
								if (i+g)%4 == 0 {
									runtime.Gosched()
								}
								nativetest.Read(c.Flag().Pointer())
								return 0, nil
							})
							if err == nil && cleaned != 1 {
								t.Errorf("%d clean-ups", cleaned)
							}
						}
					})
				}
				if i%3 == 0 {
					runtime.Gosched()
				}
				if i%5 == 0 {
					tok.Cancel(errGone)
				}
				tok.Close()
				calls.Wait()
				tok.Drain()
			}
		})
	}
	wg.Wait()
}
