package cancel

import (
	"context"
	"sync"
	"sync/atomic"
	"unsafe"
)

// The low bits of Token.state hold the decision and the end of the token's
// life, the lower half counts its borrows (see Acquire), the upper one is a number (see first.go).
const (
	cancelled uint64 = 1 << iota
	completed
	closed
	lent    // see AcquireKept
	stopped // the first callback was
	borrow

	decided = cancelled | completed
	borrows = number - borrow
)

// over reports whether a token is closed and not borrowed.
func over(state uint64) bool { return state&(closed|borrows) == closed }

// A Token is decided once: live, then cancelled with a cause, or completed.
//
// The zero Token is live and ready for use. It must not be copied after first
// use. Its methods may be called from any number of goroutines at once.
type Token struct {
	state atomic.Uint64
	slot  atomic.Pointer[slot]    // the C-visible word, once somebody asked for it
	done  atomic.Pointer[doneCtx] // the Done channel, once somebody asked for it
	first [2]unsafe.Pointer       // the callback of who has t alone, a func(error), see first.go

	setter FlagSetter // nil for most; set before t is used

	mu       sync.Mutex
	cause    error
	pending  list // callbacks that may still start
	running  list // callbacks that have started, or are about to
	panicked list // callbacks whose panic nobody has taken yet
	kept     Kept // for borrowers, see AcquireKept
	inline   node // the first callback's, so that most tokens need no other
	drained  chan struct{}
}

// Cancel decides that t is cancelled, for the given cause, and reports whether
// it did: false means that t had been decided before. A nil cause is
// [context.Canceled].
//
// When Cancel returns true, the flag word has been set, the Done channel has
// been closed, and every registered callback has been handed to a goroutine of
// its own, in this order. Cancel does not wait for callbacks to start or end.
func (t *Token) Cancel(cause error) bool {
	if cause == nil {
		cause = context.Canceled
	}
	t.mu.Lock()
	if t.state.Load()&decided != 0 {
		t.mu.Unlock()
		return false
	}
	t.cause = cause // before the state that publishes it
	t.state.Or(cancelled)
	if s := t.slot.Load(); s != nil {
		s.set()
	}
	first := t.running.takeAll(&t.pending)
	if n := t.claimFirst(); n != nil {
		n.handoff, first = first, n
	}
	d := t.done.Load()
	t.mu.Unlock()

	cancelLinked(first, cause)
	if d != nil {
		d.cancel(cause)
	}
	for n := first; n != nil; {
		next := n.handoff // n may be recycled as soon as its goroutine runs
		if n.child != nil {
			t.ended(n, nil)
		} else {
			go n.run(t, cause)
		}
		n = next
	}
	return true
}

// Complete decides that t is completed, and reports whether it did: false means
// that t had been decided before. After Complete has returned true no callback
// of t starts, ever; those registered are forgotten. Done is never closed.
func (t *Token) Complete() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.completeLocked()
}

func (t *Token) completeLocked() bool {
	if t.state.Load()&decided != 0 {
		return false
	}
	t.state.Or(completed)
	t.recycleAll(&t.pending)
	return true
}

// Close says that t's owner is done with it: a live token is completed, Acquire
// fails, and registering does nothing, except for who has borrowed a cancelled
// token and not released it yet. The flag's memory is recycled when the last
// borrow has been released, at once if there is none. Close does not wait for
// callbacks that Cancel has started or is about to start (see Drain) and may be
// called more than once.
//
// A token whose Flag was used and that is never closed keeps its 256 bytes of
// off-heap memory for good.
func (t *Token) Close() {
	t.mu.Lock()
	t.completeLocked()
	before := t.state.Or(closed)
	// Of Close and the last Release, exactly one sees both "closed" and "no
	// borrow left" first: both are read-modify-writes of the same word.
	var k Kept
	if before&closed == 0 && before&borrows == 0 {
		k = t.recycleLocked() // a slot that is not there yet can't come: Flag takes an open or a borrowed token
	}
	t.mu.Unlock()
	free(k)
}

// Acquire borrows t for one native call: the flag's memory stays t's until the
// matching Release, even if t is closed before. It reports false, and borrows
// nothing, if t is closed already.
func (t *Token) Acquire() bool {
	for {
		s := t.state.Load()
		if s&closed != 0 {
			return false
		}
		if t.state.CompareAndSwap(s, s+borrow) {
			return true
		}
	}
}

// Release gives back one borrow. The caller must not touch the flag's memory,
// and no C code may read it on the caller's behalf, after Release.
func (t *Token) Release() {
	t.recycleAt(t.state.Add(^(borrow - 1))) // minus borrow
}

// Reset makes a closed token live again, for a pool of tokens. It panics unless t
// is closed, not borrowed, and drained with no panic left to deliver; its flag
// goes back if that has not happened yet. Old
// registrations stay harmless. The caller must know that nobody will Cancel,
// Complete or Close t on behalf of its previous life, and that no context built
// around it is left.
func (t *Token) Reset() {
	t.mu.Lock()
	s := t.state.Load()
	if !over(s) || t.running.head != nil || t.panicked.head != nil {
		t.mu.Unlock()
		panic("cancel: Reset of a token that is in use")
	}
	k := t.recycleLocked()
	t.cause, t.setter = nil, nil
	t.done.Store(nil)
	t.state.Store((s>>numberShift + 1) << numberShift) // no registration's
	t.mu.Unlock()
	free(k)
}

// Cancelled reports whether t was decided cancelled.
func (t *Token) Cancelled() bool {
	return t.state.Load()&cancelled != 0 || t.setter != nil && t.ahead()
}

// Completed reports whether t was decided completed.
func (t *Token) Completed() bool { return t.state.Load()&completed != 0 }

// Cause returns the cause that t was cancelled with, nil if it was not.
func (t *Token) Cause() error {
	if !t.Cancelled() {
		return nil
	}
	return t.cause // published by the state, never written again
}
