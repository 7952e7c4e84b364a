//go:build cgo

package native_test

import (
	"context"
	"errors"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N7: Close turns new calls away, lets those in line and inside finish, and
// leaves no goroutine.
func TestPool_Close_drains(t *testing.T) {
	p := &native.Pool{Name: "drained", Size: 2}
	free := occupy(t, p, 2)
	queued := make3[error]()
	go func() {
		_, err := native.DoIn(context.Background(), p, func(*native.Call) (int, error) { return 0, nil })
		queued <- err
	}()
	eventually(t, "the call to queue", func() bool { return p.Stats().Queued == 1 })
	closed := make(chan error, 2)
	for range 2 {
		go func() { closed <- p.Close(context.Background()) }()
	}
	eventually(t, "the door to shut", func() bool {
		ctx, stop := context.WithCancel(context.Background())
		stop() // in case it is open
		_, err := native.DoIn(ctx, p, func(*native.Call) (int, error) { return 0, nil })
		return errors.Is(err, native.ErrPoolClosed) && strings.Contains(err.Error(), `"drained"`)
	})
	if len(closed) != 0 {
		t.Error("Close returned with calls inside")
	}
	free()
	if err := within(t, "the queued call", queued); err != nil {
		t.Errorf("the queued call: %v", err)
	}
	for range 2 {
		if err := within(t, "Close", closed); err != nil {
			t.Error(err)
		}
	}
	closePool(t, p) // again
}

// N7, N4: at the deadline the calls that are left are cancelled, each alone: the
// request they belong to, and its other calls, go on.
func TestPool_Close_cancels(t *testing.T) {
	var tok cancel.Token
	defer tok.Close()
	for name, ctx := range map[string]context.Context{
		"token":      cancel.NewContext(t.Context(), &tok),
		"standard":   t.Context(),
		"background": context.Background(),
	} {
		p := &native.Pool{Name: "closing", Size: 1}
		in := new(nativetest.Inside)
		running, queued := make3[error](), make3[error]()
		go func() {
			_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
				return 0, nativetest.Spin(c.Flag().Pointer(), long, in)
			})
			running <- err
		}()
		in.Wait()
		go func() {
			_, err := native.DoIn(ctx, p, func(*native.Call) (int, error) {
				t.Errorf("%s: entered", name)
				return 0, nil
			})
			queued <- err
		}()
		eventually(t, "the call to queue", func() bool { return p.Stats().Queued == 1 })
		now, stop := context.WithCancel(context.Background())
		stop()
		if err := p.Close(now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		err := within(t, "the running call", running)
		var ne *native.Error
		if !errors.As(err, &ne) || !errors.Is(ne.Cause, native.ErrPoolClosed) || ne.Err != nativetest.ErrStopped || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: running: %v", name, err)
		}
		if err := within(t, "the queued call", queued); !errors.Is(err, native.ErrPoolClosed) {
			t.Errorf("%s: queued: %v", name, err)
		}
		if ctx.Err() != nil || tok.Cancelled() {
			t.Errorf("%s: the request was cancelled as well", name)
		}
		closePool(t, p)
		// The token and the flag of that call are another's now.
		if _, err := native.Do(context.Background(), func(c *native.Call) (int, error) {
			return 0, nativetest.Spin(c.Flag().Pointer(), time.Millisecond, nil)
		}); err != nil {
			t.Errorf("%s: the next call was hit: %v", name, err)
		}
	}
}

// N7: Close does not wait for ever, and says who is left.
func TestPool_Close_reports(t *testing.T) {
	p := &native.Pool{Name: "stuck", Grace: time.Millisecond}
	var until cancel.Token
	defer until.Close()
	block := nativetest.NewBlock()
	var wg sync.WaitGroup
	pprof.Do(context.Background(), pprof.Labels("user", "7", "op", "infer"), func(ctx context.Context) {
		in := new(nativetest.Inside)
		wg.Go(func() {
			native.DoIn(ctx, p, func(c *native.Call) (int, error) {
				nativetest.Stubborn(block, until.Flag().Pointer(), long, in)
				return 0, nil
			})
		})
		in.Wait()
	})
	now, stop := context.WithCancel(context.Background())
	stop()
	eventually(t, "an abandoned call in the report", func() bool {
		var ce *native.CloseError
		if err := p.Close(now); !errors.As(err, &ce) {
			t.Fatalf("Close: %v", err)
		}
		if len(ce.Calls) != 1 || ce.Pool != "stuck" || ce.Calls[0].Labels != "op=infer user=7" || time.Since(ce.Calls[0].Start) < 0 {
			t.Fatalf("report: %+v", ce)
		}
		return ce.Calls[0].Abandoned && strings.Contains(ce.Error(), "[op=infer user=7]") && strings.Contains(ce.Error(), "abandoned")
	})
	until.Cancel(nil)
	wg.Wait()
	closePool(t, p)
	block.Free()
}

// N4, N7: Close cancels while calls come and go: it hits calls of its pool only,
// and every call comes to an end.
func TestPool_Close_race(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	for range n {
		p := &native.Pool{Size: 2}
		var tok cancel.Token
		ctx := cancel.NewContext(context.Background(), &tok)
		var wg sync.WaitGroup
		var inside atomic.Int32
		for g := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
						inside.Add(1)
						defer inside.Add(-1)
						if i == 3 && g == 0 {
							return 0, nativetest.Spin(c.Flag().Pointer(), long, nil)
						}
						return 0, nil
					})
					if errors.Is(err, native.ErrPoolClosed) {
						return
					}
					if err != nil {
						t.Error(err)
					}
					// Other calls of the same request, on the Calls and flags just used.
					if _, err := native.Inline(ctx, func(c *native.Call) (int, error) {
						return 0, nativetest.Spin(c.Flag().Pointer(), 100, nil)
					}); err != nil {
						t.Errorf("a call outside the pool was hit: %v", err)
					}
				}
			})
		}
		eventually(t, "some calls", func() bool { return p.Stats().Completed > 4 })
		now, stop := context.WithCancel(context.Background())
		stop()
		if err := p.Close(now); err != nil {
			t.Error(err)
		}
		if inside.Load() != 0 {
			t.Error("Close returned with a call inside")
		}
		wg.Wait()
		closePool(t, p)
		tok.Close()
	}
}
