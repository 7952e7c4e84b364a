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
	"time"

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
// TLS: a close_notify ends the input above TCP, often before the FIN comes. The
// evidence for it is that net/http cancelled the request on an open connection
// whose every TCP error we have seen, none of them: local says that one was a
// deadline of ours. It is set before net/http gets the error, and cleared by
// input that comes between requests: net/http ends its own reads by a deadline.
//
// Close and the monitor: the registration is made and deleted under mu, and the
// descriptor is closed only after closing has set closed. So no registration is
// made for a descriptor that may be somebody else's by now. An event that the
// monitor has fetched before is for a token, and tokens are never reused.
type tcp struct {
	raw  syscall.RawConn // nil if the connection is no socket
	base context.Context // of the connection, from ConnContext
	tls  bool            // HTTP is spoken above TLS
	bare bool            // reads and writes are not seen
	opts *Options        // of the server, from ConnContext; read only
	top  net.Conn        // what net/http reads and writes: the tls.Conn, or the connection itself

	shutting *atomic.Bool // the listener has been closed; nil if unknown
	writing  atomic.Int32 // writes under way below TLS

	mu        sync.Mutex
	cur       wire.Sink
	gone      bool
	ev        wire.Event
	token     uint64 // in the monitor, 0 if not registered
	closed    bool   // by us
	local     bool   // a deadline of ours has ended a read or a write
	readShut  bool   // by us: an end of input then says nothing
	writeShut bool   // by us: a connection that is shut both ways says no more than a FIN
	orphan    bool   // hijacked from a listener that is not ours: the current request is the last
}

// bind makes t the evidence of c, the connection that was accepted.
func (t *tcp) bind(c net.Conn) {
	t.raw = rawConn(c)
	// On a Unix socket a close shuts both ways, and there are no resets.
	_, t.writeShut = c.LocalAddr().(*net.UnixAddr)
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

// Attach registers the connection with the monitor at its first request.
func (t *tcp) Attach(_ http.ResponseWriter, _ *http.Request, s wire.Sink) uint64 {
	t.mu.Lock()
	t.cur = s
	if t.token == 0 && !t.closed && !t.gone && t.raw != nil {
		t.token = theMonitor.add(t)
	}
	gone, ev := t.gone, t.ev
	t.mu.Unlock()
	if gone {
		s.Gone(ev)
	}
	return 0
}

func (t *tcp) Detach(_ uint64, s wire.Sink) {
	t.mu.Lock()
	if t.cur == s {
		t.cur = nil
	}
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

// Judge looks at the TCP state: net/http may have read the end of the input
// before the monitor's goroutine came to run.
func (t *tcp) Judge(_ uint64, _ wire.Sink, cause error) (wire.Event, bool) {
	ev, ok := t.evidence()
	if ok || !t.endedAbove(cause) || t.bare {
		return ev, ok
	}
	return wire.Event{Kind: wire.Closed, Err: io.EOF, Source: wire.ReadErr}, true
}

// endedAbove reports whether net/http has cancelled a request on a connection
// that is well as far as TCP is concerned: the end came by TLS.
func (t *tcp) endedAbove(cause error) bool {
	if !t.tls || cause != context.Canceled || t.base != nil && t.base.Err() != nil {
		return false
	}
	t.mu.Lock()
	open := !t.closed && (t.raw == nil || t.raw.Control(func(uintptr) {}) == nil)
	open = open && !t.mayClose() && !t.local && !t.readShut
	t.mu.Unlock() // brokenAbove takes a lock of crypto/tls's, which a Write holds when it comes to note
	return open && !t.brokenAbove()
}

// evidence returns what is known, after a look at the TCP state.
func (t *tcp) evidence() (wire.Event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.gone && !t.closed && !t.mayClose() {
		t.lookLocked()
	}
	return t.ev, t.gone
}

// look is for an error that may have another reason.
func (t *tcp) look() {
	if ev, ok := t.evidence(); ok {
		t.take(ev)
	}
}

// lookLocked takes the TCP state as evidence. It is called before we close.
func (t *tcp) lookLocked() {
	if t.raw == nil || t.gone {
		return
	}
	if ev, ok := stateEvidence(t.raw); ok {
		t.keepLocked(ev)
	}
}

// keepLocked makes ev the evidence, unless there is some.
func (t *tcp) keepLocked(ev wire.Event) {
	if t.gone {
		return
	}
	if t.writeShut && ev.Kind == wire.Reset && (ev.Source == wire.Monitor || ev.Source == wire.State) {
		ev.Kind, ev.Err = wire.Closed, io.EOF
	}
	t.gone, t.ev = true, ev
}

// note takes the error of a read or a write as evidence, if it is.
func (t *tcp) note(err error, source uint8) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.mu.Lock()
		t.local = true
		t.mu.Unlock()
		return
	}
	if ev, ok := classify(err, source); ok {
		t.take(ev)
	}
}

// take makes ev the evidence, unless there is some, and tells the current
// request.
func (t *tcp) take(ev wire.Event) {
	if t.mayClose() && ev.Source != wire.WriteErr {
		t.doubt(func() { t.believe(ev) })
		return
	}
	t.believe(ev)
}

// mayClose reports whether we may be closing the connection from above TLS: a
// tls.Conn sends its close_notify first, clients react to that, and their FIN
// comes before the descriptor is closed. Server.Close closes the listener before
// any of it.
func (t *tcp) mayClose() bool {
	return t.tls && t.shutting != nil && t.shutting.Load()
}

// doubt calls f a little later, if we have not closed the connection by then, nor
// begun to: on a busy machine a little may not be enough for all of it.
func (t *tcp) doubt(f func()) {
	time.AfterFunc(doubtFor, func() {
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if closes, _ := t.closesAbove(); !closed && !closes {
			f()
		}
	})
}

// doubtFor is long for Server.Close, which is under way, and short for a server
// that drains and learns of a disconnect as much later.
const doubtFor = 50 * time.Millisecond

// believe makes ev the evidence, and tells the current request.
func (t *tcp) believe(ev wire.Event) {
	t.mu.Lock()
	if !t.gone && t.readShut && (ev.Kind == wire.Closed || t.writeShut) {
		t.mu.Unlock()
		return
	}
	t.keepLocked(ev)
	ev, cur := t.ev, t.cur
	t.mu.Unlock()
	if cur != nil {
		cur.Gone(ev)
	}
}

// input is told of bytes that were read.
func (t *tcp) input() {
	if !t.tls {
		return
	}
	t.mu.Lock()
	if t.cur == nil {
		t.local = false
	}
	t.mu.Unlock()
}

// closing is called before the descriptor is closed: the last chance to see that
// the peer was first.
func (t *tcp) closing() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	if !t.mayClose() {
		t.lookLocked()
	}
	t.closed = true
	if t.token != 0 {
		theMonitor.remove(t)
		t.token = 0
	}
	gone, ev, cur := t.gone, t.ev, t.cur
	t.mu.Unlock()
	if gone && cur != nil {
		cur.Gone(ev)
	}
}

// shutWrite is called before we shut the writing side.
func (t *tcp) shutWrite() { t.shut(&t.writeShut) }

// shutRead is called before we shut the reading side.
func (t *tcp) shutRead() { t.shut(&t.readShut) }

// shut looks for the last time at what our own shutdown is about to blur.
func (t *tcp) shut(side *bool) {
	t.mu.Lock()
	t.lookLocked()
	*side = true
	gone, ev, cur := t.gone, t.ev, t.cur
	t.mu.Unlock()
	if gone && cur != nil {
		cur.Gone(ev)
	}
}
