package httpwire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// tcp gathers the evidence about one TCP connection, and is the wire.Conn of its
// HTTP/1 requests, of which at most one is served at a time.
//
// Evidence is sticky: what came between two requests, or before the first one
// was attached, is told to the next one inside attach. It is stored, under mu,
// before the current request is looked up, and attach makes a request current
// before it looks at the evidence, under mu too: no request misses it. A request
// that is detached between the look-up and Gone is decided by then; Gone does
// nothing. It never reaches the next one but by the evidence.
//
// TLS: a close_notify ends the input above TCP, often before the FIN comes. It is looked
// for, in crypto/tls, when a request was cancelled on an open connection: see tlsabove.go.
// local says that a deadline of ours has ended a read or a write. It is set before
// net/http gets the error, and cleared when a request attaches: net/http ends its own
// reads between requests by a deadline.
//
// Close and the monitor: the registration is made and deleted under mu, and the
// descriptor is closed only after closing has set closed. So no registration is
// made for a descriptor that may be somebody else's by now. An event that the
// monitor has fetched before is for a token, and tokens are never reused (kqueue:
// see slots).
type tcp struct {
	// What every request touches comes first, close together: the caches are cold where it is served.
	tls       bool                    // HTTP is spoken above TLS
	bare      bool                    // reads and writes are not seen
	halfClose HalfClosePolicy         // from ConnContext
	alert     atomic.Bool             // what TLS wrote last may have been an alert
	ahead     atomic.Pointer[ahead]   // nil: nothing is read ahead. Set before anything is read
	setting   atomic.Pointer[setting] // with the thread that sets flags; nil: no flag was asked for
	srv       *http.Server            // nil before ConnContext

	mu        sync.Mutex
	closed    bool // by us
	readShut  bool // by us: an end of input then says nothing
	writeShut bool // by us: a connection that is shut both ways says no more than a FIN
	orphan    bool // hijacked from a listener that is not ours: the current request is the last
	unix      bool // a Unix socket
	gone      bool
	local     atomic.Bool   // a deadline of ours has ended a read or a write
	turn      atomic.Uint32 // whose the connection is: see turnBegun
	cut       atomic.Bool   // a stream of the current request has been cut off; see breakWrites
	cur       *watch
	token     uint64 // in the monitor, 0 if not registered
	end       inputEnd
	ev        wire.Event

	raw  syscall.RawConn // nil if the connection is no socket
	base context.Context // of the connection, from ConnContext
	top  net.Conn        // what net/http reads and writes: the tls.Conn, or the connection itself

	shutting *atomic.Bool // the listener has been closed; nil if unknown
}

// bind makes t the evidence of c, the connection that was accepted.
func (t *tcp) bind(c net.Conn) {
	t.raw = rawConn(c)
	// On a Unix socket a close shuts both ways, and there are no resets.
	_, t.unix = c.LocalAddr().(*net.UnixAddr)
	t.writeShut = t.unix
}

func rawConn(c net.Conn) syscall.RawConn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

func (t *tcp) Proto() uint8 { return wire.HTTP1 }

func (t *tcp) Outermost(h http.Handler) bool { return outermost(t.srv, h) }

func (t *tcp) Attach(_ http.ResponseWriter, r *http.Request, s wire.Sink) uint64 {
	t.attach(r, s.(*watch))
	return 0
}

// The turns of a connection, as net/http's ConnState tells them, of requests that were pipelined too.
const (
	turnUnknown uint32 = iota // ConnState is somebody else's
	turnBegun                 // of a request that has not attached
	turnTaken                 // of one that has
	turnOver                  // the response has ended, and the next request has not begun
)

// doubtful reports whether w's request may be one whose response has ended, left behind by a middleware
// around ours: its context is done, and not for anything that its client has done. net/http cancels a
// request's context before it ends the response.
func (t *tcp) doubtful(w *watch) bool {
	if w.parent.Err() == nil {
		return false
	}
	ev, gone := t.Judge(0, w, context.Cause(w.parent))
	return !gone && ev.Kind != wire.HalfClosed
}

// attach registers the connection with the monitor at its first request. Who was left behind gets no
// part in the connection: between two turns for sure, and in another request's if that has attached.
func (t *tcp) attach(r *http.Request, w *watch) {
	w.doubtful = t.doubtful(w)
	t.mu.Lock()
	for cur := t.cur; w.doubtful && cur != nil; cur = t.cur {
		t.mu.Unlock() // a context may be anybody's
		if cur.parent.Err() == nil {
			return
		}
		if t.mu.Lock(); t.cur == cur {
			break
		}
	}
	for {
		turn := t.turn.Load()
		if turn == turnOver {
			t.mu.Unlock()
			w.complete() // the client has all it wanted
			return
		}
		if turn == turnUnknown || t.turn.CompareAndSwap(turn, turnTaken) {
			break
		}
	}
	var left []*watch
	if t.setting.Load() != nil {
		left = t.withdrawAllLocked() // of a handler that http.TimeoutHandler left behind
	}
	t.cur = w
	if t.cut.Load() {
		t.cut.Store(false)
	}
	t.local.Store(false) // net/http has ended its reads between the requests by a deadline
	if t.token == 0 && !t.closed && !t.gone && t.raw != nil {
		t.token = theMonitor.add(t)
	}
	news := t.gone || t.closed || t.end.level != 0
	t.mu.Unlock()
	if left != nil {
		tellGone(left)
	}
	if news {
		t.tellNew(w)
	}
	if a := t.ahead.Load(); a != nil && mayBlock(r) {
		a.start()
	}
}

// tellNew tells w what came before it was attached.
func (t *tcp) tellNew(w *watch) {
	t.mu.Lock()
	gone, ev, level, closed := t.gone, t.ev, t.end.level, t.closed
	t.mu.Unlock()
	switch {
	case gone:
		w.Gone(ev)
	case closed:
		w.Ended(t.reason()) // by us, before closing had anybody to tell
	case level != 0:
		t.ask(w, level) // the input ended before this request began
	}
}

func (t *tcp) Detach(_ uint64, s wire.Sink) { t.detach(s.(*watch)) }

func (t *tcp) detach(w *watch) {
	t.mu.Lock()
	if t.cur != w {
		// A handler that http.TimeoutHandler left behind: the connection may
		// serve the next request by now, and be read ahead for that one.
		t.mu.Unlock()
		return
	}
	t.cur = nil
	t.stopAhead() // with mu held: the next Attach starts it after this
	orphan := t.orphan
	t.mu.Unlock()
	if orphan {
		t.closing()
	}
}

// abandon forgets a connection that is no longer the server's, at once or at the
// end of the current request.
func (t *tcp) abandon() {
	t.mu.Lock()
	t.orphan = t.cur != nil
	orphan := t.orphan
	t.mu.Unlock()
	if !orphan {
		t.closing()
	}
}

// look is for an error that may have another reason.
func (t *tcp) look() {
	if ev, ok := t.evidence(); ok {
		t.take(ev)
	}
}

// lookLocked takes the state of the connection as evidence. It is called before
// we close.
func (t *tcp) lookLocked() {
	if t.raw == nil || t.gone {
		return
	}
	ev, ok := stateEvidence(t.raw)
	// mayClose and brokenAbove come after the state: what they do not know of yet has not been
	// sent when the state was read, so the state is no reaction to it.
	if !ok || t.mayClose() || t.gaveUp() || t.readShut && (ev.Kind == wire.Closed || t.writeShut) {
		return // kqueue shows our own shutdown like the peer's
	}
	t.keepLocked(ev)
}

// keepLocked makes ev the evidence, unless there is some.
func (t *tcp) keepLocked(ev wire.Event) {
	if t.gone || t.halfClose != HalfCloseGone && t.spareLocked(&ev) {
		return
	}
	if t.writeShut && ev.Kind == wire.Reset && (ev.Source == wire.Monitor || ev.Source == wire.State) {
		ev.Kind, ev.Err = wire.Closed, io.EOF
	}
	t.gone, t.ev = true, ev
}

// note takes the error of a read or a write as evidence, if it is.
func (t *tcp) note(err error, source uint8) {
	if isDeadline(err) {
		t.local.Store(true)
		if source == wire.WriteErr && t.halfClose != HalfCloseGone {
			t.writeFailed()
		}
		return
	}
	if ev, ok := classify(err, source); ok {
		t.take(t.sharpen(ev))
	}
}

// writeFailed is told that a deadline of ours has ended a write, where the policy has requests go on.
func (t *tcp) writeFailed() {
	t.mu.Lock()
	t.end.failed = true
	cur := t.cur
	t.mu.Unlock()
	if cur != nil {
		cur.Ended(wire.Event{Kind: wire.ServerDeadline}) // net/http may have said so long ago
	}
}

// isDeadline is errors.Is(err, os.ErrDeadlineExceeded). net/http ends a read by a deadline
// at the end of every request: what package net makes of that is looked for first.
func isDeadline(err error) bool {
	if op, ok := err.(*net.OpError); ok && op.Err == os.ErrDeadlineExceeded {
		return true
	}
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// sharpen tells an end of input and a broken pipe from what came before: a reset, or that
// the system gave the peer up. The first system call gets that error. If it was a write, a
// read on another goroutine gets EOF, and if it was a read, a write gets EPIPE, and either
// may be here first. A reset that came behind a FIN is EPIPE by itself (tcp_reset in
// net/ipv4/tcp_input.c), so that of a broken pipe only the timeout is told.
func (t *tcp) sharpen(ev wire.Event) wire.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raw == nil || t.writeShut || t.closed || ev.Kind != wire.Closed && ev.Kind != wire.WriteFailed {
		return ev
	}
	st, ok := stateEvidence(t.raw)
	if ok && (st.Kind == wire.Timeout || ev.Kind == wire.Closed && st.Kind != wire.Closed) {
		ev.Kind, ev.Err = st.Kind, st.Err
	}
	return ev
}

// take makes ev the evidence, unless there is some, and tells the current
// request. A failed write is the client's doing whatever we are about to do.
func (t *tcp) take(ev wire.Event) {
	if t.struck() {
		return // the flag is set: nothing is left to judge
	}
	if ev.Source == wire.WriteErr {
		t.believe(ev)
		return
	}
	t.unlessClosing(func() { t.believe(ev) })
}

// believe makes ev the evidence, and tells the current request.
func (t *tcp) believe(ev wire.Event) {
	t.mu.Lock()
	ours := t.readShut && (ev.Kind == wire.Closed || t.writeShut) ||
		t.writeShut && !t.unix && ev.Kind == wire.WriteFailed // EPIPE: we have shut it ourselves
	if !t.gone && ours {
		t.mu.Unlock()
		return
	}
	t.keepLocked(ev)
	gone, ev, cur := t.gone, t.ev, t.cur
	t.mu.Unlock()
	if gone && cur != nil {
		cur.Gone(ev)
	}
}

// closing is called before the descriptor is closed: the last chance to see that
// the peer was first.
func (t *tcp) closing() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	struck := t.withdrawAllLocked()
	t.lookLocked()
	t.closed = true
	t.dismissLocked()
	if t.token != 0 {
		theMonitor.remove(t)
		t.token = 0
	}
	gone, ev, cur := t.gone, t.ev, t.cur
	t.mu.Unlock()
	tellGone(struck)
	switch {
	case cur == nil:
	case gone:
		cur.Gone(ev)
	default:
		cur.Ended(t.reason()) // nothing else tells a request whose body is unread
	}
}

// shutWrite is called before we shut the writing side.
func (t *tcp) shutWrite() { t.shut(&t.writeShut) }

// shutRead is called before we shut the reading side.
func (t *tcp) shutRead() { t.shut(&t.readShut) }

// shut looks for the last time at what our own shutdown is about to blur.
func (t *tcp) shut(side *bool) {
	t.mu.Lock()
	struck := t.withdrawAllLocked()
	t.lookLocked()
	*side = true
	gone, ev, cur := t.gone, t.ev, t.cur
	t.mu.Unlock()
	tellGone(struck)
	if gone && cur != nil {
		cur.Gone(ev)
	}
}
