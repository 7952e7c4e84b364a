package httpwire

import (
	"net"
	"net/http"
)

// An AheadConn is a wrapped connection that reads ahead between Start and Stop.
type AheadConn struct{ *conn }

// ReadAhead wraps c.
func ReadAhead(c net.Conn, limit int) AheadConn {
	w := &conn{Conn: c}
	w.tcp.bind(c)
	readAhead(w, &Options{BodyReadAhead: limit})
	return AheadConn{w}
}

// Start is what the beginning of a request with a body does, Stop its end.
func (c AheadConn) Start() { c.tcp.ahead.Load().start() }
func (c AheadConn) Stop()  { c.tcp.stopAhead() }

// Ahead tells how much is read ahead, and what it costs.
func (c AheadConn) Ahead() AheadState { return aheadState(c.tcp.ahead.Load()) }

// Left reports whether evidence was found that the peer has left.
func (c AheadConn) Left() bool { _, ok := c.tcp.evidence(); return ok }

// An AheadState is a connection's read-ahead: bytes held, bytes of memory, whether
// its goroutine exists, it waits in a Read, somebody does.
type AheadState struct {
	Held, Memory     int
	Running, Filling bool
	Busy             bool
}

// Ahead returns the read-ahead of r's connection; ok is false if there is none.
func Ahead(r *http.Request) (s AheadState, ok bool) {
	a := watchOf(r).conn.(*tcp).ahead.Load()
	if a == nil {
		return s, false
	}
	return aheadState(a), true
}

func aheadState(a *ahead) AheadState {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := AheadState{Held: a.queue.held, Running: a.running, Filling: a.filling, Busy: a.busy}
	for b := a.queue.head; b != nil; b = b.next {
		s.Memory += blockSize
	}
	return s
}

// ReadsAhead reports whether the TCP connection that r came by is read ahead.
func ReadsAhead(r *http.Request) bool {
	t, ok := watchOf(r).conn.(*tcp)
	if h2, is := watchOf(r).conn.(*http2Conn); is {
		t, ok = h2.tcp, h2.tcp != nil
	}
	if !ok || t.ahead.Load() == nil {
		return false
	}
	return aheadState(t.ahead.Load()).Running
}
