//go:build cgo

package native_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N2 to N5 at once, for calls that race with their cancel, through every kind of
// context: the call stops, or was over; its callbacks ran at most once and never
// after it returned; and the next call on the same handle, under a context that
// nobody cancels, is never hit.
func TestDo_race(t *testing.T) {
	n := 24_000
	if testing.Short() {
		n = 3_000
	}
	slots := cancel.FlagsInUse()
	// Rounds without a pause: the armer meets every moment of a call's life.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				native.ArmNow()
				runtime.Gosched()
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	bothWays(t, func(t *testing.T, do doFunc) {
		for name := range contexts(t) {
			t.Run(name, func(t *testing.T) {
				var wg sync.WaitGroup
				for g := range 4 {
					wg.Go(func() {
						for i := range n / 24 {
							raceOneCall(t, name, do, i+g)
						}
					})
				}
				wg.Wait()
			})
		}
	})
	if left := cancel.FlagsInUse() - slots; left > native.Followers() {
		t.Errorf("%d slots left behind, %d followers keep one", left, native.Followers())
	}
}

func raceOneCall(t *testing.T, name string, do doFunc, i int) {
	ctx, stop := oneContext(name)
	defer stop(nil)
	canceller := make(chan struct{})
	go func() {
		defer close(canceller)
		for range i % 40 {
			runtime.Gosched()
		}
		stop(errGone)
	}()
	var starts, over atomic.Int32
	_, err := do(ctx, func(c *native.Call) (int, error) {
		c.OnCancel(func(error) {
			if starts.Add(1) != 1 || over.Load() != 0 {
				t.Error("callback started twice, or after the call had returned")
			}
		})
		if i%16 == 0 { // spinning threads starve the cancellers of two cores
			return 0, nativetest.Spin(c.Flag().Pointer(), long, nil)
		}
		nativetest.Read(c.Flag().Pointer())
		return 0, nil
	})
	over.Store(1)
	if err != nil && !errors.Is(err, errGone) {
		t.Errorf("call failed: %v", err)
	}
	// The next call, by the same goroutine and so likely on the same Call, worker
	// and slot, while the canceller may still be at it.
	quiet, stopQuiet := context.WithCancel(context.Background())
	defer stopQuiet()
	if _, err := do(quiet, func(c *native.Call) (int, error) {
		c.OnCancel(func(error) { t.Error("a late cancel ran the next call's callback") })
		return 0, nativetest.Spin(c.Flag().Pointer(), 1000, nil)
	}); err != nil {
		t.Errorf("a late cancel hit the next call: %v", err)
	}
	<-canceller
}

// oneContext is like contexts, without a cleanup per context.
func oneContext(name string) (context.Context, context.CancelCauseFunc) {
	if name == "standard" {
		return context.WithCancelCause(context.Background())
	}
	tok := new(cancel.Token)
	ctx, release := cancel.NewContext(context.Background(), tok), context.CancelFunc(func() {})
	if name == "derived" {
		ctx, release = context.WithTimeout(ctx, long)
	}
	return ctx, func(cause error) {
		if cause != nil {
			tok.Cancel(cause)
			return
		}
		release()
		tok.Close()
		tok.Drain()
	}
}
