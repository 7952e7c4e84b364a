package httpwire

import (
	"slices"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
)

// The setter is a thread in C with an epoll of its own. When a client of HTTP/1 or HTTP/2
// closes its connection it sets the flags of the requests that are served there, and
// waits for no goroutine to be scheduled, which takes milliseconds and more where all
// processors are busy in Go code. It does nothing else: the monitor, which has a registration
// of its own, and HTTP/2's reader hear of the same event, and tell the rest, as they do where there is no
// setter. On Linux, with cgo; elsewhere newEntry returns nil, and this file does nothing.
//
// It reads nothing of the connection: a reset of a stream, on a connection that lasts, is for HTTP/2's
// reader. A client that resets a stream and closes the connection at once may be told as closed, without the code.
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
//	we reset the stream of HTTP/2             resetByUs
//	we give up the connection of HTTP/2       failedByUs, before the GOAWAY goes out
//	the connection is taken over              ConnState, which every Hijack calls
//	it serves the next request                tcp.Attach: TimeoutHandler left a handler behind
//
// and it is not lent at all under another policy than HalfCloseGone (HTTP/2 has none: servers
// end the connection at the end of the input), above TLS whose
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
	e    *entry   // nil: no flag of this connection is lent any more
	last *entry   // of e's chain
	free []*entry // of the chain: nobody's
	of   []loan   // guarded by tcp.mu
}

// A loan is a flag that is lent, or was set.
type loan struct {
	w *watch
	e *entry
}

// loan returns the index of w's, -1 if there is none.
func (s *setting) loan(w *watch) int {
	return slices.IndexFunc(s.of, func(l loan) bool { return l.w == w })
}

// take returns an entry of the chain for one more flag, nil if there is no memory.
func (s *setting) take() *entry {
	if n := len(s.free); n > 0 {
		e := s.free[n-1]
		s.free = s.free[:n-1]
		return e
	}
	e := takeEntry(s.e.state.Load())
	if e != nil {
		s.last.next.Store(e.index + 1)
		s.last = e
	}
	return e
}

// lend lends a flag, and returns its entry; nil if there is no memory for one. ended says that the setter has
// seen the end of the connection before.
func (s *setting) lend(flag unsafe.Pointer) (e *entry, ended bool) {
	if e = s.take(); e == nil {
		return nil, false
	}
	// The setter may have passed the end of the chain before e was there.
	if !e.arm(flag) || s.e.seen() && !e.withdraw() {
		s.free = append(s.free, e)
		return nil, true
	}
	return e, false
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
	t := w.below()
	if t == nil || t.raw == nil || t.tls && t.bare || w.proto == HTTP1 && t.halfClose != HalfCloseGone {
		return
	}
	l.tok.SetFlagSetter(w)
}

// below returns the TCP connection that w's request came on, nil if there is none that is known.
func (w *watch) below() *tcp {
	switch c := w.conn.(type) {
	case *tcp:
		return c
	case *http2Conn:
		return c.tcp
	}
	return nil
}

// FlagMade implements cancel.FlagSetter.
func (w *watch) FlagMade(f cancel.Flag) {
	if w.below().lend(w, f.Pointer()) {
		return
	}
	// The setter has seen the end before; the monitor's goroutine, or HTTP/2's reader, may be late.
	switch c := w.conn.(type) {
	case *tcp:
		c.look()
	case *http2Conn:
		if ev, ok := c.tcp.ending(); ok {
			c.end(ev)
		}
	}
}

// FlagSet implements cancel.FlagSetter.
func (w *watch) FlagSet() {
	w.below().struck()
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

func tellGone(ws []*watch) {
	for _, w := range ws {
		w.tellGone()
	}
}

// withdraw takes w's flag back for good. When it returns, the flag's memory is Go's alone; and if
// the setter has set it, w is gone. That another goroutine has swapped before says only that it is
// about to: who comes second looks as well, and finds nothing or waits for mu.
func (w *watch) withdraw() {
	if w.lent.Swap(lentOver) != unlent {
		w.withdrawLent()
	}
}

func (w *watch) withdrawLent() {
	if t := w.below(); t != nil {
		t.withdraw(w)
	}
}

// suspend takes w's flag back until resume.
func (w *watch) suspend() {
	if w.lent.Load() != unlent {
		w.withdrawLent()
	}
}

func (w *watch) resume() {
	if w.lent.Load() == lent && w.end.Load() == nil {
		w.FlagMade(w.look().tok.Flag())
	}
}

// lend lends w's flag to the setter, if w is served, and a FIN or a RST of the client
// would be its end. It returns false if the setter has seen one before.
func (t *tcp) lend(w *watch, flag unsafe.Pointer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !w.lent.CompareAndSwap(unlent, lent) && w.lent.Load() == lentOver || w.proto == HTTP1 && t.cur != w {
		return true
	}
	s := t.setting.Load()
	if s == nil {
		s = t.enlistLocked()
	}
	if s.e == nil || s.loan(w) >= 0 || w.end.Load() != nil || w.rw.last.Load() || !t.certainLocked() {
		return true
	}
	e, ended := s.lend(flag)
	if e != nil {
		s.of = append(s.of, loan{w, e})
	}
	return !ended
}

// certainLocked reports whether a FIN or a RST of the client's says that it has left.
func (t *tcp) certainLocked() bool {
	closes, known := t.closesAbove()
	return known && !closes && !t.closed && !t.readShut && !t.writeShut && !t.gaveUp()
}

// enlistLocked registers the connection with the setter.
func (t *tcp) enlistLocked() *setting {
	s := &notLent
	if e := takeEntry(0); e != nil { // and the connection is not closed: closing puts notLent here
		var err error
		if cerr := t.raw.Control(func(fd uintptr) { err = e.register(int(fd)) }); cerr != nil || err != nil {
			giveEntry(e)
		} else {
			s = &setting{e: e, last: e, free: []*entry{e}}
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

// withdraw takes w's flag back.
func (t *tcp) withdraw(w *watch) {
	t.mu.Lock()
	var gone *watch
	if s := t.setting.Load(); s != nil {
		if i := s.loan(w); i >= 0 {
			gone = t.withdrawLocked(s, i)
		}
	}
	t.mu.Unlock()
	gone.tellGone()
}

// withdrawLocked takes a flag back. If it had been set, that is the evidence, whatever
// there is to be said against it now, and its watch is gone: withdrawLocked returns that, and
// the caller tells it when mu is free.
func (t *tcp) withdrawLocked(s *setting, i int) (gone *watch) {
	l, end := s.of[i], len(s.of)-1
	s.of[i], s.of[end] = s.of[end], loan{}
	s.of = s.of[:end]
	fired := l.e.withdraw()
	s.free = append(s.free, l.e)
	if !fired {
		return nil
	}
	if !t.gone {
		t.gone, t.ev = true, t.struckBy(l.e)
	}
	l.w.end.CompareAndSwap(nil, l.w.disconnect(t.ev, struckAt(l.e))) // or it is gone already
	return l.w
}

// withdrawAllLocked takes all flags back.
func (t *tcp) withdrawAllLocked() (gone []*watch) {
	s := t.setting.Load()
	for s != nil && len(s.of) > 0 {
		if w := t.withdrawLocked(s, len(s.of)-1); w != nil {
			gone = append(gone, w)
		}
	}
	return gone
}

// struck takes note of what the setter has done, if it has, and reports whether there was news.
func (t *tcp) struck() bool {
	s := t.setting.Load()
	if s == nil || s.e == nil || !s.e.seen() { // perhaps another connection's by now: then we look again
		return false
	}
	var gone []*watch
	t.mu.Lock()
	s = t.setting.Load()
	for i := len(s.of) - 1; i >= 0; i-- {
		if s.of[i].e.fired() {
			gone = append(gone, t.withdrawLocked(s, i))
		}
	}
	t.mu.Unlock()
	tellGone(gone)
	return len(gone) > 0
}

// takeBack takes all flags back, and lends no more.
func (t *tcp) takeBack() {
	t.mu.Lock()
	gone := t.withdrawAllLocked()
	t.dismissLocked()
	t.mu.Unlock()
	tellGone(gone)
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

// withdrawAny takes all flags back.
func (t *tcp) withdrawAny() {
	t.mu.Lock()
	gone := t.withdrawAllLocked()
	t.mu.Unlock()
	tellGone(gone)
}
