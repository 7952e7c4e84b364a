//go:build cgo

package native_test

import (
	"context"
	"errors"
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

// eventually yields until ok, for a time that no healthy machine needs.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// occupy takes n places of p with calls that last until the returned function is called,
// which waits for them.
func occupy(t *testing.T, p *native.Pool, n int) (free func()) {
	t.Helper()
	var wg sync.WaitGroup
	entered, release := make2(), make2()
	for range n {
		wg.Go(func() {
			native.DoIn(context.Background(), p, func(*native.Call) (int, error) {
				entered <- struct{}{}
				<-release
				return 0, nil
			})
		})
	}
	for range n {
		within(t, "the places to be taken", entered)
	}
	return func() { close(release); wg.Wait() }
}

// N7: never more calls inside than the pool's size, and all are made.
func TestPool_bounded(t *testing.T) {
	const size, calls = 3, 200
	p := &native.Pool{Name: "small", Size: size}
	var inside, most, made atomic.Int64
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if _, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) {
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				runtime.Gosched()
				made.Add(1)
				inside.Add(-1)
				return 0, nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > size || made.Load() != calls {
		t.Errorf("%d inside at once, %d made", most.Load(), made.Load())
	}
	s := p.Stats()
	if s.Started != calls || s.Completed != calls || s.Queued != 0 || s.Rejected != 0 {
		t.Errorf("figures: %+v", s)
	}
	closePool(t, p)
}

// closePool closes a pool that nobody uses, and checks that nothing is left of it.
func closePool(t *testing.T, p *native.Pool) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	if load, credit := native.PoolState(p); load != 0 || credit != 0 {
		t.Errorf("load is %d, credit %d", load, credit)
	}
	if s := p.Stats(); s.Workers != 0 || s.Running != 0 || s.Queued != 0 || s.Abandoned != s.Reclaimed {
		t.Errorf("figures of a closed pool: %+v", s)
	}
}

// N7: first come, first served.
func TestPool_inOrder(t *testing.T) {
	p := &native.Pool{Size: 1}
	free := occupy(t, p, 1)
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			native.DoIn(t.Context(), p, func(*native.Call) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
				return 0, nil
			})
		})
		eventually(t, "the call to queue", func() bool { return p.Stats().Queued == i+1 })
	}
	free()
	wg.Wait()
	for i, n := range order {
		if i != n {
			t.Fatalf("order is %v", order)
		}
	}
	if s := p.Stats(); s.Waited != 20 || s.WaitSum < s.WaitMax || s.WaitMax <= 0 {
		t.Errorf("figures: %+v", s)
	}
	closePool(t, p)
}

// N7: beyond the queue's limit a call fails at once, and says which pool it was.
func TestPool_full(t *testing.T) {
	for _, tt := range []struct {
		queue, waiters int
		figures        string
	}{{2, 2, "2 running, 2 queued"}, {-1, 0, "2 running, 0 queued"}} {
		p := &native.Pool{Name: "gpu", Size: 2, Queue: tt.queue}
		free := occupy(t, p, 2)
		var wg sync.WaitGroup
		for i := range tt.waiters {
			wg.Go(func() {
				if _, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) { return 0, nil }); err != nil {
					t.Errorf("a queued call: %v", err)
				}
			})
			eventually(t, "the call to queue", func() bool { return p.Stats().Queued == i+1 })
		}
		_, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) {
			t.Error("entered a full pool")
			return 0, nil
		})
		if !errors.Is(err, native.ErrPoolFull) || errors.Is(err, context.Canceled) ||
			!strings.Contains(err.Error(), `"gpu"`) || !strings.Contains(err.Error(), tt.figures) {
			t.Errorf("error is %v", err)
		}
		if n := p.Stats().Rejected; n != 1 {
			t.Errorf("%d rejected", n)
		}
		free()
		wg.Wait()
		closePool(t, p)
	}
}

// N1: a request that leaves the queue is never made, says why, and is no
// hindrance to those behind it.
func TestPool_leavesQueue(t *testing.T) {
	for name, make := range contexts(t) {
		p := &native.Pool{Size: 1}
		free := occupy(t, p, 1)
		ctx, stop := make()
		left := make3[error]()
		go func() {
			_, err := native.DoIn(ctx, p, func(*native.Call) (int, error) {
				t.Errorf("%s: entered", name)
				return 0, nil
			})
			left <- err
		}()
		eventually(t, "the call to queue", func() bool { return p.Stats().Queued == 1 })
		behind := make3[error]()
		go func() {
			_, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) { return 0, nil })
			behind <- err
		}()
		eventually(t, "the next to queue", func() bool { return p.Stats().Queued == 2 })
		stop()
		err := within(t, "the cancelled request", left)
		var ne *native.Error
		if !errors.As(err, &ne) || ne.Err != nil || ne.Cause != errGone || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		free()
		if err := within(t, "the next", behind); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s := p.Stats(); s.Left != 1 || s.Started != 2 {
			t.Errorf("%s: figures: %+v", name, s)
		}
		closePool(t, p)
	}
}

func make3[T any]() chan T { return make(chan T, 1) }

// N1, N7 under any interleaving: calls come, wait, leave, run and are turned away;
// the bound holds, each that was admitted is made once, and at the end no place is
// lost or owed.
func TestPool_race(t *testing.T) {
	n := 60_000
	if testing.Short() {
		n = 6_000
	}
	const size = 3
	p := &native.Pool{Name: "race", Size: size, Queue: 8}
	var inside, made, cancelled, full atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range n / 16 {
				var tok cancel.Token
				ctx := cancel.NewContext(context.Background(), &tok)
				done := make2()
				yields, spins := rand.IntN(20), rand.IntN(10)
				go func() {
					defer close(done)
					for range yields {
						runtime.Gosched()
					}
					tok.Cancel(errGone)
				}()
				entered := false
				_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
					entered = true
					if inside.Add(1) > size {
						t.Error("more inside than there are places")
					}
					for range spins { // so that others come meanwhile
						nativetest.Read(c.Flag().Pointer())
						runtime.Gosched()
					}
					inside.Add(-1)
					return 0, nil
				})
				switch {
				case err == nil && entered:
					made.Add(1)
				case errors.Is(err, native.ErrPoolFull) && !entered:
					full.Add(1)
				case errors.Is(err, errGone) && !entered:
					cancelled.Add(1)
				default:
					t.Errorf("entered %v, error %v", entered, err)
				}
				<-done
				tok.Close()
			}
		})
	}
	wg.Wait()
	s := p.Stats()
	if int64(s.Completed+s.CompletedDespiteCancel) != made.Load() || s.Rejected != uint64(full.Load()) {
		t.Errorf("made %d, full %d, figures %+v", made.Load(), full.Load(), s)
	}
	t.Logf("%d made, %d cancelled (%d in the queue), %d turned away, %d waited", made.Load(), cancelled.Load(), s.Left, full.Load(), s.Waited)
	closePool(t, p)
}

// N3: when DoIn returns, its request's token is free of it.
func TestPool_returnsToken(t *testing.T) {
	var p native.Pool
	var tok cancel.Token
	for range 3 {
		ctx := cancel.NewContext(t.Context(), &tok)
		if _, err := native.DoIn(ctx, &p, func(*native.Call) (int, error) { return 0, nil }); err != nil {
			t.Error(err)
		}
		tok.Close()
		tok.Reset() // panics if it is borrowed
	}
	closePool(t, &p)
}
