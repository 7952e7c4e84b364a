package cancel

import (
	"sync/atomic"
	"unsafe"
)

// The first callback of whoever has a token alone costs no lock: one compare-and-swap to register
// it, and one to end it, which in ReleaseKept is the one that ends the loan. It is for package native, where
// most calls have one callback and nobody cancels them.
//
// To have a token alone is to be the borrower that has what the token keeps (AcquireKept), or the owner
// of a token that nobody borrows. It is one call at a time, which registers from any goroutine, and
// ends when all those have returned. (One that has not, against the rules, registers with a later call, or
// with none, and harms no other's callback.)
//
// The token has two places, and a number in its state. The number's lowest bit names the current
// place; the other one is dead: nobody looks at it. The current place, and the number, go so:
//
//	nil -> f              OnCancelFirst: a swap of the place, and then a look at the state: if the token has been
//	                      cancelled, f is claimed
//	f   -> f, stopped     Registration.Stop: a bit of the state, set by a swap that fails if the token
//	                      is decided or the number another
//	f   -> taken          Cancel, or who else finds the token cancelled: with the mutex held. f has a node
//	                      from here on, and is a callback like others; the number stays until Reset
//	f   -> dead           StopFirst, ReleaseKept: a swap of the state to the next number, which fails if the
//	                      token is cancelled. In ReleaseKept the loan ends by the same swap
//	      -> nil          ForgetFirst: of a token that is cancelled, when f was stopped, or has ended
//
// So completion and cancel meet in the state (C1): whichever swap comes first is what has
// happened. Who registers writes the place, then reads the state; Cancel writes the state, then
// reads the place: one of the two sees the other, and of those that see both one takes it.
//
// A place that has died in ReleaseKept keeps its callback reachable until the next loan, which begins
// with clearing it, or until the token is closed and not borrowed: whoever ended the loan may touch it no more.

// number is what the state counts calls with a callback by, above its other bits. A registration that
// is 2^32 of them old would be taken for a new one.
const (
	numberShift        = 32
	number      uint64 = 1 << numberShift
)

// taken is the place's content when its callback has been claimed.
var taken = pointerOf(func(error) {})

// A func value is one pointer, which the garbage collector knows as such.
func pointerOf(f func(error)) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&f)) }
func funcOf(p unsafe.Pointer) func(error)    { return *(*func(error))(unsafe.Pointer(&p)) }

// firstAt returns the current place, and what is there, at a state of the token.
func (t *Token) firstAt(state uint64) (place *unsafe.Pointer, f unsafe.Pointer) {
	place = &t.first[state>>numberShift&1]
	return place, atomic.LoadPointer(place)
}

// deadAt returns the other place.
func (t *Token) deadAt(state uint64) *unsafe.Pointer { return &t.first[^state>>numberShift&1] }

// OnCancelFirst is t's OnCancel, for who has t alone. It fails if a callback has been registered
// so before, or t is decided: then OnCancel serves.
func (t *Token) OnCancelFirst(f func(cause error)) (r Registration, ok bool) {
	s := t.state.Load()
	place := &t.first[s>>numberShift&1]
	if s&(decided|stopped) != 0 || !atomic.CompareAndSwapPointer(place, nil, pointerOf(f)) {
		return r, false
	}
	if t.state.Load()&decided != 0 {
		t.firstDecided()
	}
	return Registration{t: t, gen: s >> numberShift}, true
}

func (t *Token) firstDecided() {
	t.mu.Lock()
	n := t.claimFirst()
	t.mu.Unlock()
	if n != nil {
		go n.run(t, t.cause)
	}
}

// claimFirst moves the first callback to the running ones, if there is one that was not stopped,
// t is cancelled, and nobody has been here before. The mutex is held. The caller starts it.
func (t *Token) claimFirst() *node {
	s := t.state.Load()
	place, f := t.firstAt(s)
	if s&cancelled == 0 || s&stopped != 0 || f == nil || f == taken {
		return nil
	}
	atomic.StorePointer(place, taken)
	n := t.newNode(funcOf(f))
	n.first = true
	t.running.push(n)
	return n
}

// stopFirst is Registration.Stop of a first callback.
func (t *Token) stopFirst(n uint64) bool {
	for {
		s := t.state.Load()
		if s>>numberShift != n || s&(decided|stopped) != 0 {
			return false
		}
		if t.state.CompareAndSwap(s, s|stopped) {
			return true
		}
	}
}

// firstOf returns the registration of the first callback with number n as a node, if it has
// started and there is still something to wait for or to be told.
func (t *Token) firstOf(n uint64) (r Registration) {
	t.mu.Lock() // Cancel, which may have decided, lets go of it behind its look
	defer t.mu.Unlock()
	if t.state.Load()>>numberShift != n {
		return r
	}
	for _, l := range []*list{&t.running, &t.panicked} {
		for m := l.head; m != nil; m = m.next {
			if m.first {
				return Registration{t: t, n: m, gen: m.gen.Load()}
			}
		}
	}
	return r
}

// noFirst reports whether there is no first callback, for who has t alone.
func (t *Token) noFirst() bool {
	_, f := t.firstAt(t.state.Load())
	return f == nil
}

// StopFirst ends the first callback of who has t alone, if there is one, and forgets it. False means that t is
// cancelled: the callback has started, or is about to, see FirstStarted, unless it had been stopped. It never stops one of a t
// that shows that it is cancelled.
func (t *Token) StopFirst() bool {
	if t.noFirst() {
		return true
	}
	next, ok := t.endFirst(0)
	if ok {
		*t.deadAt(next) = nil
	}
	return ok
}

// endFirst makes the first callback's place the dead one, by the swap that takes loan from the state, which is next
// then. It fails if t is cancelled.
func (t *Token) endFirst(loan uint64) (next uint64, ok bool) {
	if t.Cancelled() {
		return 0, false
	}
	for {
		s := t.state.Load()
		if s&cancelled != 0 {
			return 0, false
		}
		next = s&^stopped - loan + number
		if t.state.CompareAndSwap(s, next) {
			return next, true
		}
	}
}

// FirstStarted is for who has t alone, when StopFirst or ReleaseKept has returned false. It reports
// whether the callback has started, and returns its registration: to be waited for, before ForgetFirst.
func (t *Token) FirstStarted() (r Registration, ok bool) {
	t.firstDecided() // for one that is being registered; and waits for Cancel's look
	s := t.state.Load()
	if _, f := t.firstAt(s); f != taken {
		return r, false // it was stopped
	}
	return t.firstOf(s >> numberShift), true
}

// ForgetFirst makes the place of a callback vacant that has been waited for.
func (t *Token) ForgetFirst() {
	t.mu.Lock()
	defer t.mu.Unlock()
	place, _ := t.firstAt(t.state.Load())
	atomic.StorePointer(place, nil)
}
