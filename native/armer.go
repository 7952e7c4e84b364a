package native

import (
	"sync"
	"sync/atomic"
	"time"
)

// The armer goes round all followers while any is active and not armed. It is a
// timer, not a goroutine, and stops when a round finds nothing to do.
type armer struct {
	asleep atomic.Bool

	mu    sync.Mutex
	all   []*follower
	free  []*follower
	timer *time.Timer
}

var followers = newArmer()

func newArmer() *armer {
	a := new(armer)
	a.asleep.Store(true)
	return a
}

// pause is the time between rounds: a millisecond, and longer where a round
// itself takes long, so that rounds never take more than a few percent of a
// processor.
func (a *armer) pause() time.Duration {
	return max(time.Millisecond, time.Duration(len(a.all))*time.Microsecond)
}

func (a *armer) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asleep.CompareAndSwap(true, false) {
		return
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(a.pause(), a.round)
		return
	}
	a.timer.Reset(a.pause())
}

// round arms every follower that was active at the last round already.
func (a *armer) round() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.look() {
		a.asleep.Store(true)
		// Whoever became active before the store may have seen us awake.
		if !a.look() {
			return
		}
		a.asleep.Store(false) // wake can't have: we hold mu
	}
	a.timer.Reset(a.pause())
}

// look reports whether any follower is active and not armed yet.
func (a *armer) look() (busy bool) {
	for _, f := range a.all {
		w := f.word.Load()
		if w&(active|armed) != active {
			continue
		}
		busy = true
		if w == f.seen {
			f.arm(w)
		}
		f.seen = w
	}
	return busy
}

func (a *armer) get() *follower {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.free); n > 0 {
		f := a.free[n-1]
		a.free = a.free[:n-1]
		return f
	}
	f := newFollower()
	a.all = append(a.all, f)
	return f
}

func (a *armer) put(f *follower) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free = append(a.free, f)
}
