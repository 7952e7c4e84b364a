package cancel

// A FirstCallback is the place of one callback, which is registered and taken back without the
// token's mutex: three read-modify-writes instead of seven. It is for package native, where
// most calls have one callback and nobody cancels them. The zero value is vacant; it must
// not be copied.
//
// Its word is generation << 2 | phase:
//
//	vacant -> taking   register: a CAS
//	     -> pending    register: a store, f is written
//	     -> vacant     Stop, of a place or a registration: a CAS, without a lock unless the token is cancelled
//	     -> started    Cancel, or register that finds the token cancelled: a CAS under the token's mutex;
//	                   from here on it is a node like others, on the token's lists
//	     -> vacant     Free, when it has ended and has been waited for
//
// Who registers stores pending, then looks at the token's state; Cancel writes the state, then looks
// at the word: one of the two sees the other, and of those that see both one wins
// the CAS. Cancel finds the place by the token's pointer, under the mutex under which the pointer is
// taken away before the place goes to another token: so it starts only what is its token's. A call
// that has seen its token cancelled waits at the mutex for that look before it stops its callback, which
// therefore has started.
type FirstCallback struct{ n node }

const (
	vacant uint64 = iota // and the phase of all other nodes
	taking
	pending
	started
	generation
)

func phase(word uint64) uint64 { return word & (generation - 1) }

// OnCancelFirst is t's OnCancel in place p, and fails if that is taken. One place at a time
// is t's: p is the only one from now on until t is closed and not borrowed, or ForgetFirst.
func (t *Token) OnCancelFirst(p *FirstCallback, f func(cause error)) (r Registration, ok bool) {
	n := &p.n
	w := n.gen.Load()
	if phase(w) != vacant || !n.gen.CompareAndSwap(w, w+taking) {
		return r, false
	}
	n.f = f
	if t.first.Load() != n {
		t.first.Store(n)
	}
	n.gen.Store(w + pending)
	r = Registration{t: t, n: n, gen: w + started}
	if t.state.Load()&decided != 0 {
		return t.firstDecided(r), true
	}
	return r, true
}

func (t *Token) firstDecided(r Registration) Registration {
	t.mu.Lock()
	if t.state.Load()&completed != 0 {
		t.mu.Unlock()
		r.n.stop(r.gen) // nobody starts it
		return Registration{}
	}
	mine := t.startFirst() != nil // else Cancel came by after we had stored pending
	t.mu.Unlock()
	if mine {
		go r.n.run(t, t.cause)
	}
	return r
}

// startFirst moves the first callback to the running ones, if it is pending. The mutex is held.
func (t *Token) startFirst() *node {
	n := t.first.Load()
	if n == nil {
		return nil
	}
	w := n.gen.Load()
	if phase(w) != pending || !n.gen.CompareAndSwap(w, w+1) {
		return nil
	}
	t.running.push(n)
	return n
}

// stop takes a pending callback back, if it is that of the generation.
func (n *node) stop(gen uint64) bool {
	return n.gen.CompareAndSwap(gen-started+pending, gen-started+generation)
}

// Stop makes the place vacant, and reports whether it could: false means that its callback, which is
// t's, has started, or is being registered. It never stops one of a t that shows that it is cancelled.
func (p *FirstCallback) Stop(t *Token) bool {
	w := p.n.gen.Load()
	return phase(w) == vacant || phase(w) == pending && !(t.Cancelled() && t.looked()) && p.n.stop(w-pending+started)
}

// looked reports whether t is cancelled, and returns when Cancel has looked at the first callback. A stale
// registration may come by here: of t it reads the state alone.
func (t *Token) looked() bool {
	if t.state.Load()&cancelled == 0 {
		return false
	}
	t.mu.Lock() // Cancel lets go of it behind its look
	defer t.mu.Unlock()
	return true
}

// Started returns the registration of a callback of t's that has started, if p has one: to be
// waited for, and then freed.
func (p *FirstCallback) Started(t *Token) (r Registration, ok bool) {
	w := p.n.gen.Load()
	if phase(w) != started {
		return r, false
	}
	return Registration{t: t, n: &p.n, gen: w}, true
}

// Free makes the place of a callback vacant that has started and been waited for.
func (p *FirstCallback) Free() { p.n.gen.Add(generation - started) }

// Forget lets go of a callback that was stopped. The place is vacant and nobody uses it.
func (p *FirstCallback) Forget() {
	if p.n.f != nil {
		p.n.f = nil
	}
}

// ForgetFirst makes t forget the place, which is vacant. Who may be cancelling t just now is
// waited for before the place is used again.
func (t *Token) ForgetFirst() {
	if t.first.Load() != nil {
		t.first.Store(nil)
	}
}
