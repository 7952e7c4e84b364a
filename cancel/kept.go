package cancel

import "unsafe"

// Kept is an object that a token keeps for those who borrow it, so that the calls of a
// request, which mostly come one after the other, share one without a look into a
// pool (13 ns of 36). It is for package native; others have no use for it. Free is
// called without locks, once the token is closed and not borrowed.
//
// Rejected: an array of objects found by the address of the stack (as fast on two
// processors, but on many the lines move between them, where a sync.Pool's stay).
type Kept interface{ Free() }

// AcquireKept is Acquire, which also lends what the token keeps to one borrower at a time:
// place is nil for the others. Until ReleaseKept the borrower may read *place and, where
// that is nil, fill it. The borrower that has the place gives its borrow back by
// ReleaseKept alone, and touches neither place nor object once that has returned true.
//
// The lent bit of the state belongs to one of the borrows; who has it has t.kept.
// It comes and goes with that borrow, in the same read-modify-write, so that a token
// that is not borrowed has lent nothing.
func (t *Token) AcquireKept() (place *Kept, ok bool) {
	for {
		s := t.state.Load()
		switch {
		case s&closed != 0:
			return nil, false
		case s&lent != 0:
			if t.state.CompareAndSwap(s, s+borrow) {
				return nil, true
			}
		case t.state.CompareAndSwap(s, s+borrow+lent):
			if dead := t.deadAt(s); *dead != nil {
				*dead = nil
			}
			return &t.kept, true
		}
	}
}

// Lent reports whether somebody has what t keeps.
func (t *Token) Lent() bool { return t.state.Load()&lent != 0 }

// ReleaseKept gives back a borrow that has the place, and stops its first callback with it. False means
// that t is cancelled, and nothing was done: the callback has started, or is about to, unless it had been stopped. Then StopFirst,
// FirstStarted and ForgetFirst come before it.
func (t *Token) ReleaseKept() bool {
	const loan = borrow + lent
	if t.noFirst() {
		t.recycleAt(t.state.Add(^(loan - 1))) // minus loan
		return true
	}
	next, ok := t.endFirst(loan)
	if ok {
		t.recycleAt(next)
	}
	return ok
}

// recycleAt is what follows the end of a borrow that left the state s.
func (t *Token) recycleAt(s uint64) {
	if over(s) {
		t.recycle()
	}
}

// recycle gives the slot and what is kept back. The last Release may get here after a
// Reset: then they, if they are there, are of the token's next life.
func (t *Token) recycle() {
	t.mu.Lock()
	var k Kept
	if over(t.state.Load()) {
		k = t.recycleLocked()
	}
	t.mu.Unlock()
	free(k)
}

// recycleLocked takes both from a token that nobody borrows. The caller frees what
// was kept, without the lock.
func (t *Token) recycleLocked() Kept {
	if s := t.slot.Swap(nil); s != nil {
		slots.put(s)
	}
	k := t.kept
	t.kept = nil
	t.first = [2]unsafe.Pointer{}
	return k
}

func free(k Kept) {
	if k != nil {
		k.Free()
	}
}
