package httpwire

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// turns are of two goroutines that meet in each round.
type turns [2]atomic.Int64

func (t *turns) meet(me, i int) {
	t[me].Store(int64(i))
	for spins := 1; t[1-me].Load() < int64(i); spins++ {
		if spins%1000 == 0 {
			runtime.Gosched()
		}
	}
}

// RaceLookComplete has n requests looked at for the first time while their responses become
// complete, and returns at how many of them a registration would wait for ever.
func RaceLookComplete(n int) (waiting int) {
	watches := make([]watch, n)
	var turns turns
	var both sync.WaitGroup
	both.Go(func() {
		for i := range watches {
			turns.meet(0, i)
			for range i % 64 {
				turns[0].Load()
			}
			watches[i].look()
		}
	})
	both.Go(func() {
		for i := range watches {
			turns.meet(1, i)
			for range i / 64 % 64 {
				turns[1].Load()
			}
			watches[i].complete()
		}
	})
	both.Wait()
	for i := range watches {
		if watches[i].looked.Load().disc.OnCancel(func(error) {}).Stop() {
			waiting++
		}
	}
	return waiting
}

// OverFollows reports whether the first of all requests at which nobody looked before its end
// follows its parent once somebody does.
func OverFollows() bool {
	parent, stop := context.WithCancel(context.Background())
	defer stop()
	w := &watch{parent: parent}
	w.looked.Store(newOver())
	return w.arm().unjoin != nil
}

// RaceAttachFailed has n requests attached whose streams were reset before, while the server gives up
// their connections, and returns how many were not told of the reset.
func RaceAttachFailed(n int) (untold int) {
	watches := make([]watch, n)
	conns := make([]http2Conn, n)
	var turns turns
	var both sync.WaitGroup
	both.Go(func() {
		for i := range conns {
			conns[i].reset(1, 8)
			turns.meet(0, i)
			conns[i].attach(1, &watches[i])
		}
	})
	both.Go(func() {
		for i := range conns {
			turns.meet(1, i)
			for range i % 64 {
				turns[1].Load()
			}
			conns[i].failedByUs()
		}
	})
	both.Wait()
	for i := range watches {
		if d := watches[i].end.Load(); d == nil || d == &completed {
			untold++
		}
	}
	return untold
}
