package httpwire

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// race calls f and g of each i below n on two goroutines, which meet before each round and go on after delays
// that take every pair of values.
func race(n int, f, g func(i int)) {
	var turns [2]atomic.Int64
	var both sync.WaitGroup
	side := func(me int, do func(int), delay func(i int) int) {
		both.Go(func() {
			for i := range n {
				turns[me].Store(int64(i))
				for spins := 1; turns[1-me].Load() < int64(i); spins++ {
					if spins%1000 == 0 {
						runtime.Gosched()
					}
				}
				for range delay(i) % 64 {
					turns[me].Load()
				}
				do(i)
			}
		})
	}
	side(0, f, func(i int) int { return i })
	side(1, g, func(i int) int { return i / 64 })
	both.Wait()
}

// RaceLookComplete has n requests looked at for the first time while their responses become
// complete, and returns at how many of them a registration would wait for ever.
func RaceLookComplete(n int) (waiting int) {
	watches := make([]watch, n)
	race(n, func(i int) { watches[i].look() }, func(i int) { watches[i].complete() })
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
	for i := range conns {
		conns[i].reset(1, 8)
	}
	race(n, func(i int) { conns[i].attach(1, &watches[i]) }, func(i int) { conns[i].failedByUs() })
	for i := range watches {
		if d := watches[i].end.Load(); d == nil || d == &completed {
			untold++
		}
	}
	return untold
}
