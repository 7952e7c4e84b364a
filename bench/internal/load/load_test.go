package load

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Of goroutines that are bounded as many work at a time as there are cores, and no more; all have their turn, and stop returns when
// none is left.
func TestBounded(t *testing.T) {
	const perCore = 4
	var now, most, turns atomic.Int64
	enough := make(chan struct{})
	start := bounded(perCore, func(*atomic.Bool) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		for range 100 { // others would be in
			runtime.Gosched()
		}
		now.Add(-1)
		if turns.Add(1) == 1000 {
			close(enough)
		}
	})
	stop, err := start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-enough:
	case <-time.After(30 * time.Second):
		t.Error("waited for 1000 turns")
	}
	stop()
	if cores := int64(runtime.GOMAXPROCS(0)); most.Load() != cores || now.Load() != 0 {
		t.Errorf("%d at a time, %d left; want %d and 0", most.Load(), now.Load(), cores)
	}
}

// GOMAXPROCS is multiplied while a load goes on, and not the number of its goroutines.
func TestMultiply(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	var begun, over atomic.Int64
	stop, err := multiply(3, busy(2, func(end *atomic.Bool) {
		begun.Add(1)
		for !end.Load() {
			runtime.Gosched()
		}
		over.Add(1)
	}))(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	during := runtime.GOMAXPROCS(0)
	stop()
	if after := runtime.GOMAXPROCS(0); during != 3*procs || after != procs || begun.Load() != int64(2*procs) || over.Load() != begun.Load() {
		t.Errorf("GOMAXPROCS %d, %d, %d; %d goroutines, %d ended", procs, during, after, begun.Load(), over.Load())
	}
}
