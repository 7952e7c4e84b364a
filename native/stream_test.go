//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// tokens is an engine's stream: n tokens, of d of computing each, that C hands out.
func tokens(ctx context.Context, p *native.Pool, buffer int, n uint64, d time.Duration, made *nativetest.Count) iter.Seq2[string, error] {
	return native.Stream(ctx, p, buffer, func(c *native.Call, send func(string) bool) error {
		return nativetest.Tokens(c.Flag().Pointer(), n, d, send, made)
	})
}

// eachPool runs a test in the default pool and in one of its own.
func eachPool(t *testing.T, test func(t *testing.T, p *native.Pool)) {
	t.Run("default", func(t *testing.T) { test(t, nil) })
	t.Run("own", func(t *testing.T) {
		p := &native.Pool{Name: t.Name(), Size: 1}
		test(t, p)
		closePool(t, p)
	})
}

// N2: all that C sends arrives, in order, and then the end. Each use makes a call.
func TestStream_complete(t *testing.T) {
	eachPool(t, func(t *testing.T, p *native.Pool) {
		for _, buffer := range []int{0, 1, 100} {
			seq := tokens(t.Context(), p, buffer, 50, 0, nil)
			for range 2 {
				i := 0
				for tok, err := range seq {
					if want := fmt.Sprintf("token %d ", i); tok != want || err != nil {
						t.Fatalf("got %q, %v, want %q", tok, err, want)
					}
					i++
				}
				if i != 50 {
					t.Errorf("%d tokens, want 50", i)
				}
			}
		}
	})
}

// Back-pressure: C makes no more than the loop has taken and the buffer holds.
func TestStream_bounded(t *testing.T) {
	const buffer = 3
	var made nativetest.Count
	taken := uint64(0)
	for _, err := range tokens(t.Context(), nil, buffer, 100, 0, &made) {
		if err != nil {
			t.Fatal(err)
		}
		taken++
		for range 10 {
			runtime.Gosched()
		}
		if n := made.Load(); n > taken+buffer {
			t.Fatalf("C has made %d tokens, the loop taken %d of them, with a buffer of %d", n, taken, buffer)
		}
	}
}

// N3: a cancel stops C, and the iterator returns when C has; the cause comes last.
func TestStream_cancelled(t *testing.T) {
	for name, make := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			eachPool(t, func(t *testing.T, p *native.Pool) {
				ctx, stop := make()
				var last error
				n := 0
				for _, err := range tokens(ctx, p, 1, 1<<40, 0, nil) {
					if n++; n == 5 {
						stop()
					}
					last = err
				}
				if !errors.Is(last, errGone) || !errors.Is(last, nativetest.ErrStopped) {
					t.Errorf("the last error is %v, want the cause and C's", last)
				}
			})
		})
	}
}

// Back-pressure is no obstacle: a send that waits for the loop is woken by a cancel, and
// so is C between two tokens, although the loop takes nothing.
func TestStream_cancelledWhileFull(t *testing.T) {
	for _, d := range []time.Duration{0, long} {
		eachPool(t, func(t *testing.T, p *native.Pool) {
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			returned := make(chan struct{})
			first := true
			for range native.Stream(ctx, p, 0, func(c *native.Call, send func(string) bool) error {
				defer close(returned)
				send("first")
				return nativetest.Tokens(c.Flag().Pointer(), 1<<40, d, send, nil)
			}) {
				if first {
					first = false
					stop(errGone)
					within(t, "fn to return, while the loop takes nothing", returned)
				}
			}
		})
	}
}

// N3, N4: a loop that ends early stops C and nothing else, and goes on when C has
// returned.
func TestStream_loopEnds(t *testing.T) {
	eachPool(t, func(t *testing.T, p *native.Pool) {
		tok := new(cancel.Token)
		defer tok.Close()
		ctx := cancel.NewContext(t.Context(), tok)
		for range 200 {
			in := false
			for range native.Stream(ctx, p, 2, func(c *native.Call, send func(string) bool) error {
				in = true
				defer func() { in = false }()
				send("first")
				return nativetest.Tokens(c.Flag().Pointer(), 1<<40, 0, send, nil)
			}) {
				break
			}
			if in { // a race, too, if it was not joined
				t.Fatal("the loop went on while fn was running")
			}
		}
		if tok.Cancelled() || ctx.Err() != nil {
			t.Error("the end of a loop has cancelled the context")
		}
	})
}

// N9: a panic of fn and Goexit reach the loop's goroutine; a panic of the loop passes once C
// has stopped.
func TestStream_panics(t *testing.T) {
	recovered := func(f func()) (v any) {
		defer func() { v = recover() }()
		f()
		return nil
	}
	v := recovered(func() {
		for range native.Stream(t.Context(), nil, 1, func(_ *native.Call, send func(int) bool) error {
			send(1)
			panic("fn")
		}) {
		}
	})
	if p, ok := v.(*cancel.PanicError); !ok || p.Value != "fn" {
		t.Errorf("recovered %v, want fn's panic", v)
	}

	var in bool
	v = recovered(func() {
		for range native.Stream(t.Context(), nil, 1, func(c *native.Call, send func(string) bool) error {
			in = true
			defer func() { in = false }()
			return nativetest.Tokens(c.Flag().Pointer(), 1<<40, 0, send, nil)
		}) {
			panic("loop")
		}
	})
	if v != "loop" || in {
		t.Errorf("recovered %v, with fn running: %v", v, in)
	}

	var all sync.WaitGroup
	after := false
	all.Go(func() {
		for range native.Stream(t.Context(), nil, 1, func(*native.Call, func(int) bool) error {
			runtime.Goexit()
			return nil
		}) {
		}
		after = true
	})
	all.Wait()
	if after {
		t.Error("Goexit did not reach the loop's goroutine")
	}
}

// N1: a context that is done starts nothing, and the loop is told.
func TestStream_notStarted(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errGone)
	n := 0
	for _, err := range native.Stream(ctx, nil, 1, func(*native.Call, func(int) bool) error {
		t.Error("called")
		return nil
	}) {
		if n++; !errors.Is(err, errGone) {
			t.Errorf("error %v, want the cause", err)
		}
	}
	if n != 1 {
		t.Errorf("%d turns of the loop, want one", n)
	}
}

// N6: an abandoned call's sends are refused, and its end reaches nobody.
func TestStream_abandoned(t *testing.T) {
	p := &native.Pool{Name: t.Name(), Size: 1}
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	release, refused := make(chan struct{}), make(chan bool, 1)
	var last error
	for _, err := range native.Stream(ctx, p, 0, func(c *native.Call, send func(int) bool) error {
		c.AbandonAfter(time.Millisecond)
		send(1)
		<-release
		refused <- !send(2)
		return nil
	}) {
		stop(errGone)
		last = err
	}
	if !errors.Is(last, native.ErrAbandoned) {
		t.Errorf("the last error is %v, want ErrAbandoned", last)
	}
	close(release)
	if !within(t, "the abandoned call's send", refused) {
		t.Error("a send of an abandoned call was taken")
	}
	closePool(t, p)
}

// N3, N4 under stress: cancels and ends of loops at random moments.
func TestStream_stress(t *testing.T) {
	p := &native.Pool{Name: t.Name(), Size: 3}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 300 {
				ctx, stop := context.WithCancelCause(t.Context())
				if (g+i)%3 == 0 {
					go stop(errGone)
				}
				n := uint64(0)
				for tok, err := range tokens(ctx, p, i%3, 20, 0, nil) {
					if err != nil {
						break
					}
					if want := fmt.Sprintf("token %d ", n); tok != want {
						t.Errorf("got %q, want %q", tok, want)
					}
					if n++; (g+i)%5 == int(n) {
						break
					}
				}
				stop(nil)
			}
		})
	}
	all.Wait()
	closePool(t, p)
}
