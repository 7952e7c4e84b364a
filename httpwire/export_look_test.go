package httpwire

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// RaceLookComplete has n requests looked at for the first time while their responses become
// complete, and returns at how many of them a registration would wait for ever.
func RaceLookComplete(n int) (waiting int) {
	watches := make([]watch, n)
	var turns [2]atomic.Int64
	meet := func(me, i int) {
		turns[me].Store(int64(i))
		for spins := 1; turns[1-me].Load() < int64(i); spins++ {
			if spins%1000 == 0 {
				runtime.Gosched()
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() {
		for i := range watches {
			meet(0, i)
			for range i % 64 {
				turns[0].Load()
			}
			watches[i].look()
		}
	})
	both.Go(func() {
		for i := range watches {
			meet(1, i)
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
