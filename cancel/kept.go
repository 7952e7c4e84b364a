package cancel

import "github.com/hangup-go/hangup/internal/keep"

func init() {
	keep.Acquire = func(token any) (**keep.Kept, bool) { return token.(*Token).acquireKept() }
	keep.Release = func(token any) { token.(*Token).releaseKept() }
}

// The lent bit of the state belongs to one of the borrows; who has it has t.kept.
// It comes and goes with that borrow, in the same read-modify-write, so that a token
// that is not borrowed has lent nothing.
func (t *Token) acquireKept() (place **keep.Kept, ok bool) {
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

func (t *Token) releaseKept() {
	s := t.state.Add(^(borrow + lent - 1)) // minus both
	if s&closed != 0 && s/borrow == 0 {
		t.recycle()
	}
}

// recycle gives the slot and what is kept back. The last Release may get here after a
// Reset: then they, if they are there, are of the token's next life.
func (t *Token) recycle() {
	t.mu.Lock()
	var k *keep.Kept
	if s := t.state.Load(); s&closed != 0 && s/borrow == 0 {
		k = t.recycleLocked()
	}
	t.mu.Unlock()
	free(k)
}

// recycleLocked takes both from a token that nobody borrows. The caller frees what
// was kept, without the lock.
func (t *Token) recycleLocked() *keep.Kept {
	if s := t.slot.Swap(nil); s != nil {
		slots.put(s)
	}
	k := t.kept
	t.kept = nil
	return k
}

func free(k *keep.Kept) {
	if k != nil {
		k.Free(k.Value)
	}
}
