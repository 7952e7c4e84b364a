package httpwire

import (
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
)

// The setter is a thread in C with an epoll of its own. When a client of HTTP/1
// closes its connection it sets the flag of the request that is served there, and
// waits for no goroutine to be scheduled, which takes milliseconds and more where all
// processors are busy in Go code. It does nothing else: the monitor has a registration
// of its own, hears of the same event, and tells the rest, as it does where there is no
// setter. On Linux, with cgo; elsewhere newEntry returns nil, and this file does nothing.
//
// Which flag. That of the request's token, once somebody asks for it (FlagMade); the
// connection is registered at its first one. Calls with a token of their own, because of
// a deadline or a pool, have flags that only Go sets.
//
// When. A word can't be unset: it is set only where the watch ends as gone for certain
// (rule 1). So the flag is lent to the setter while a FIN or RST can have no other
// meaning than that, and is taken back before that changes:
//
//	the handler has returned                  finish
//	the response is about to be complete      response.beginLast; lent again if it was not
//	the parent context ends                   parentDone
//	we shut or close the connection           tcp.shut, tcp.closing
//	we close TLS, or give it up: the client   conn.Write, which the alert goes through
//	reacts to that
//	the connection is taken over              ConnState, which every Hijack calls
//	it serves the next request                tcp.Attach: TimeoutHandler left a handler behind
//
// and it is not lent at all under another policy than HalfCloseGone, above TLS whose
// closing we can't see (a listener that is not ours), on Unix sockets, and once
// one side is shut.
//
// Decided once (C1, rule 1). Taking back and setting meet in one swap (entry). If the
// setter was first, that is the decision: whoever finds it makes the watch gone, under
// tcp.mu and whatever else it was about to do, and only then goes on. So complete, which comes after
// taking back, can't win over a word that is set. What asks the token in
// between finds the word set, and is told first (cancel.FlagSetter).
//
// Only its own (N3, N4). The flag's memory goes back after finish, which has taken the
// flag back, or has waited until the setter had let go of it. Who is lent to is
// guarded by tcp.mu; nothing is lent to a watch whose lent is lentOver.
//
// lent and rw.last: lend stores the one and then looks at the other, beginLast the other way
// round. One of the two sees the other. So with the setting and the closing of TLS.
type setting struct {
	e  *entry // nil: no flag of this connection is lent any more
	of *watch // whose flag is lent, or was set; guarded by tcp.mu
}

// notLent is of connections that could not be registered, or may not be.
var notLent setting

// watch.lent: unlent, then lent once FlagMade was called, then lentOver.
const (
	unlent uint32 = iota
	lent
	lentOver
)

// letSet makes w the setter of its look's token, where there is a thread for it. Nobody
// uses l yet.
func (w *watch) letSet(l *look) {
	if !hasSetter {
		return
	}
	if t, ok := w.conn.(*tcp); ok && t.raw != nil && t.policy() == HalfCloseGone && !(t.tls && t.bare) {
		l.tok.SetFlagSetter(w)
	}
}

// FlagMade implements cancel.FlagSetter.
func (w *watch) FlagMade(f cancel.Flag) {
	t := w.conn.(*tcp)
	if !t.lend(w, f.Pointer()) {
		t.look() // the setter has seen the end before; the monitor's goroutine may be late
	}
}

// FlagSet implements cancel.FlagSetter.
func (w *watch) FlagSet() {
	w.conn.(*tcp).struck()
	// Another goroutine may have found it before us, and be about to tell.
	w.tellGone()
}

// tellGone tells w, if it is gone. A nil w has nobody to tell.
func (w *watch) tellGone() {
	if w == nil {
		return
	}
	if d := w.end.Load(); d != nil && d != &completed {
		w.tell(d)
	}
}

// withdraw takes w's flag back for good. When it returns, the flag's memory is Go's alone; and if
// the setter has set it, w is gone.
func (w *watch) withdraw() {
	if w.lent.Swap(lentOver) == lent {
		w.conn.(*tcp).withdraw(w)
	}
}

// suspend takes w's flag back until resume.
func (w *watch) suspend() {
	if w.lent.Load() == lent {
		w.conn.(*tcp).withdraw(w)
	}
}

func (w *watch) resume() {
	if w.lent.Load() == lent && w.end.Load() == nil {
		w.FlagMade(w.look().tok.Flag())
	}
}

// lend lends w's flag to the setter, if w is the one that is served, and a FIN or a RST of the client
// would be its end. It returns false if the setter has seen one before.
func (t *tcp) lend(w *watch, flag unsafe.Pointer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !w.lent.CompareAndSwap(unlent, lent) && w.lent.Load() == lentOver || t.cur != w {
		return true
	}
	s := t.setting.Load()
	if s == nil {
		s = t.enlistLocked()
	}
	if s.e == nil || s.of != nil || w.end.Load() != nil || w.rw.last.Load() || !t.certainLocked() {
		return true
	}
	if !s.e.arm(flag) {
		return false
	}
	s.of = w
	return true
}

// certainLocked reports whether a FIN or a RST of the client's says that it has left.
func (t *tcp) certainLocked() bool {
	closes, known := t.closesAbove()
	return known && !closes && !t.closed && !t.readShut && !t.writeShut && !t.gaveUp()
}

// enlistLocked registers the connection with the setter.
func (t *tcp) enlistLocked() *setting {
	s := &notLent
	if e := takeEntry(); e != nil && !t.closed {
		var err error
		if cerr := t.raw.Control(func(fd uintptr) { err = e.register(int(fd)) }); cerr != nil || err != nil {
			giveEntry(e)
		} else {
			s = &setting{e: e}
		}
	}
	t.setting.Store(s)
	return s
}

// dismissLocked ends the connection's registration. Nothing is lent. If the
// descriptor is closed already, Control does nothing: the kernel has deleted it.
func (t *tcp) dismissLocked() {
	s := t.setting.Swap(&notLent)
	if s == nil || s.e == nil {
		return
	}
	_ = t.raw.Control(func(fd uintptr) { s.e.unregister(int(fd)) })
	giveEntry(s.e)
}

// withdraw takes the flag back if it is w's.
func (t *tcp) withdraw(w *watch) {
	t.mu.Lock()
	var gone *watch
	if s := t.setting.Load(); s != nil && s.of == w {
		gone = t.withdrawLocked()
	}
	t.mu.Unlock()
	gone.tellGone()
}

// withdrawLocked takes the flag back. If it had been set, that is the evidence, whatever
// there is to be said against it now, and its watch is gone: withdrawLocked returns that, and
// the caller tells it when mu is free.
func (t *tcp) withdrawLocked() (gone *watch) {
	s := t.setting.Load()
	if s == nil || s.of == nil {
		return nil
	}
	w := s.of
	s.of = nil
	if !s.e.withdraw() {
		return nil
	}
	if !t.gone {
		t.gone, t.ev = true, t.struckBy(s.e)
	}
	w.end.CompareAndSwap(nil, w.disconnect(t.ev, struckAt(s.e))) // or it is gone already
	return w
}

// struck takes note of what the setter has done, if it has, and reports whether there was news.
func (t *tcp) struck() bool {
	s := t.setting.Load()
	if s == nil || s.e == nil || !s.e.fired() { // perhaps another connection's by now: then we look again
		return false
	}
	t.mu.Lock()
	var gone *watch
	if s := t.setting.Load(); s.of != nil && s.e.fired() {
		gone = t.withdrawLocked()
	}
	t.mu.Unlock()
	gone.tellGone()
	return gone != nil
}

// takeBack takes the flag back, and lends no more.
func (t *tcp) takeBack() {
	t.mu.Lock()
	gone := t.withdrawLocked()
	t.dismissLocked()
	t.mu.Unlock()
	gone.tellGone()
}

// beforeAlert is called before TLS writes p: it may be the alert of our closing, to which
// the client reacts, and closesAbove says so by then; or of our giving TLS up, which brokenAbove
// says in an instant. Until then certainLocked finds alert.
func (t *tcp) beforeAlert(p []byte) {
	alert := mayBeAlert(p)
	if t.alert.Load() != alert {
		t.alert.Store(alert)
	}
	if s := t.setting.Load(); s == nil || s.e == nil {
		return
	}
	if closes, _ := t.closesAbove(); closes {
		t.takeBack()
	} else if alert {
		t.withdrawAny()
	}
}

// withdrawAny takes the flag back, whosever it is.
func (t *tcp) withdrawAny() {
	t.mu.Lock()
	gone := t.withdrawLocked()
	t.mu.Unlock()
	gone.tellGone()
}
