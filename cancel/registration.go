package cancel

import "github.com/hangup-go/hangup/internal/goid"

// A Registration stands for one callback registered with [Token.OnCancel]. It
// is a value, may be copied, and may be used from several goroutines. Methods
// of the zero Registration do nothing and return false.
type Registration struct {
	t   *Token
	n   *node  // nil: of a first callback, see first.go
	gen uint64 // the node's, or the callback's number
}

// OnCancel registers f to be called with the cause when t is cancelled: at most
// once, on a goroutine of its own. If t is cancelled already, f starts at once
// (OnCancel does not wait for it); if t is completed, f never starts. On a closed
// token f starts only while t is borrowed.
//
// OnCancel returns at once. It keeps f reachable until f has run, was stopped,
// or t was completed or closed.
func (t *Token) OnCancel(f func(cause error)) Registration {
	if f == nil {
		panic("cancel: OnCancel called with a nil callback")
	}
	t.mu.Lock()
	state := t.state.Load()
	// Of a closed token only a borrower, whose call is still being made, needs
	// to hear: it joins its callbacks before it releases.
	if state&completed != 0 || over(state) {
		t.mu.Unlock()
		return Registration{}
	}
	n := t.newNode(f)
	r := Registration{t: t, n: n, gen: n.gen.Load()}
	if state&cancelled != 0 {
		t.running.push(n)
		t.mu.Unlock()
		go n.run(t, t.cause)
		return r
	}
	t.pending.push(n)
	t.mu.Unlock()
	return r
}

// Stop takes the registration back and reports whether that prevented the
// callback: after true it never starts. False means that it has started, is
// about to start or has ended, that it was stopped before, or that the token
// was completed. Stop does not wait for a running callback.
func (r Registration) Stop() bool {
	if r.t == nil {
		return false
	}
	if r.n == nil {
		return r.t.stopFirst(r.gen)
	}
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	return r.stopLocked()
}

func (r Registration) stopLocked() bool {
	// Only the token that owns a node recycles it, under the mutex we hold: a
	// matching generation cannot go stale before we unlock.
	if r.n.gen.Load() != r.gen || r.n.on != &r.t.pending {
		return false
	}
	r.t.pending.remove(r.n)
	r.t.recycleNode(r.n)
	return true
}

// StopAndWait takes the registration back like Stop, and if the callback is
// running, waits for it to end: when StopAndWait returns, the callback is not
// running and never will. Called from inside the callback itself it returns at
// once. Two callbacks that wait for each other deadlock.
//
// If the callback panicked and nobody was told yet, StopAndWait panics with a
// [*PanicError].
func (r Registration) StopAndWait() bool {
	if r.t == nil {
		return false
	}
	t := r.t
	if r.n == nil {
		if t.stopFirst(r.gen) {
			return true
		}
		if r = t.firstOf(r.gen); r.n == nil {
			return false
		}
	}
	n := r.n
	t.mu.Lock()
	if r.stopLocked() {
		t.mu.Unlock()
		return true
	}
	if n.gen.Load() == r.gen && n.on == &t.running {
		if n.goid == goid.Get() {
			t.mu.Unlock()
			return false
		}
		n.wait(t) // unlocks and locks
	}
	// The callback has ended. Its node is kept only if its panic is still to be
	// delivered, and then to whoever comes here first.
	var p *PanicError
	if n.gen.Load() == r.gen && n.on == &t.panicked {
		p = n.panic
		t.panicked.remove(n)
		t.recycleNode(n)
	}
	t.mu.Unlock()
	if p != nil {
		panic(p)
	}
	return false
}
