package h3

import (
	"context"
	"net/http"
	"sync"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A conn is a QUIC connection as its requests see it: the table of those that
// have a handler running. It watches nothing by itself; each request asks its
// own stream.
type conn struct {
	quic *quic.Conn
	mw   http.Handler    // httpwire's, if the server itself calls it
	base context.Context // what the program's ConnContext made of the connection's

	mu       sync.Mutex
	last     uint64
	requests map[uint64]*request
}

// newConn is called by ConnContext; http3 takes srv's Handler for the connection then.
func newConn(base context.Context, qc *quic.Conn, srv *http3.Server) *conn {
	c := &conn{quic: qc, base: base, requests: make(map[uint64]*request)}
	if srv != nil {
		if ours, ok := srv.Handler.(*handler); ok {
			c.mw = ours.Handler
		}
	}
	return c
}

// Proto returns wire.HTTP3.
func (c *conn) Proto() uint8 { return wire.HTTP3 }

// Outermost reports whether h is what the server itself calls.
func (c *conn) Outermost(h http.Handler) bool { return c.mw != nil && c.mw == h }

// Attach makes the request's object. Its id is of this connection's own count:
// the stream's would be missing where the stream can't be reached.
func (c *conn) Attach(w http.ResponseWriter, _ *http.Request, s wire.Sink) uint64 {
	q := &request{conn: c, stream: streamOf(w), sink: s}
	q.server, _ = w.(serverWriter)
	c.mu.Lock()
	c.last++
	id := c.last
	c.requests[id] = q
	c.mu.Unlock()
	q.tellIfLeft()
	return id
}

// Present returns the ResponseWriter that the handler is given.
func (c *conn) Present(id uint64, rw http.ResponseWriter, made, copied *http.Request) http.ResponseWriter {
	passTrailer(made, copied)
	q := c.request(id)
	if q == nil || q.server == nil {
		return rw
	}
	q.ResponseWriter = rw
	return q
}

// Arm starts to watch: for RESET_STREAM, of which nothing in the standard context
// tells, and for the rest sooner than that context.
func (c *conn) Arm(id uint64, _ wire.Sink) {
	if q := c.request(id); q != nil {
		q.arm()
	}
}

// Detach ends the watch of the request. It does not wait for a probe under way,
// which would find that the Sink no longer listens.
func (c *conn) Detach(id uint64, _ wire.Sink) {
	c.mu.Lock()
	q := c.requests[id]
	delete(c.requests, id)
	c.mu.Unlock()
	if q != nil {
		q.detach()
	}
}

// Judge says whether the client ended the request's context. After Detach the
// answer is false: the watch has been decided by then.
func (c *conn) Judge(id uint64, _ wire.Sink, _ error) (wire.Event, bool) {
	q := c.request(id)
	if q == nil {
		return wire.Event{}, false
	}
	return q.judge()
}

func (c *conn) request(id uint64) *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}
