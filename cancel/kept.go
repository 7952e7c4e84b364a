package cancel

// Kept is an object that a token keeps for those who borrow it, so that the calls of a
// request, which mostly come one after the other, share one without a look into a
// pool (13 ns of 36). It is for package native; others have no use for it. Free takes
// Value back once the token is closed and not borrowed; it is called without locks.
//
// Rejected: an array of objects found by the address of the stack (as fast on two
// processors, but on many the lines move between them, where a sync.Pool's stay).
type Kept struct {
	Value any
	Free  func(value any)
}

// AcquireKept is Acquire, which also lends what the token keeps to one borrower at a time:
// place is nil for the others. Until ReleaseKept the borrower may read *place and, where
// that is nil, fill it. The borrower that has the place gives its borrow back by
// ReleaseKept alone, and touches neither place nor object from then on.
//
// The lent bit of the state belongs to one of the borrows; who has it has t.kept.
// It comes and goes with that borrow, in the same read-modify-write, so that a token
// that is not borrowed has lent nothing.
func (t *Token) AcquireKept() (place **Kept, ok bool) {
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
			return &t.kept, true
		}
	}
}

// ReleaseKept gives back a borrow that has the place.
func (t *Token) ReleaseKept() {
	s := t.state.Add(^(borrow + lent - 1)) // minus both
	if s&^decided == closed {              // and no borrow
		t.recycle()
	}
}

// recycle gives the slot and what is kept back. The last Release may get here after a
// Reset: then they, if they are there, are of the token's next life.
func (t *Token) recycle() {
	t.mu.Lock()
	var k *Kept
	if s := t.state.Load(); s&closed != 0 && s/borrow == 0 {
		k = t.recycleLocked()
	}
	t.mu.Unlock()
	free(k)
}

// recycleLocked takes both from a token that nobody borrows. The caller frees what
// was kept, without the lock.
func (t *Token) recycleLocked() *Kept {
	if s := t.slot.Swap(nil); s != nil {
		slots.put(s)
	}
	k := t.kept
	t.kept = nil
	t.ForgetFirst()
	return k
}

func free(k *Kept) {
	if k != nil {
		k.Free(k.Value)
	}
}
