package httpwire_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// A fakeConn is an HTTP/2 connection of one request, without a network: for races in a
// watch of which a server shows few.
type fakeConn struct {
	sink   wire.Sink
	reason wire.Event   // what Judge says; it was not the client
	judged atomic.Int32 // how often it was asked
}

func (c *fakeConn) Proto() uint8                { return wire.HTTP2 }
func (c *fakeConn) Outermost(http.Handler) bool { return false }
func (c *fakeConn) Attach(_ http.ResponseWriter, _ *http.Request, s wire.Sink) uint64 {
	c.sink = s
	return 1
}
func (c *fakeConn) Detach(uint64, wire.Sink) {}
func (c *fakeConn) Judge(uint64, wire.Sink, error) (wire.Event, bool) {
	c.judged.Add(1)
	return c.reason, false
}

// leave says that the client has.
func (c *fakeConn) leave() { c.sink.Gone(wire.Event{Kind: wire.StreamReset, Source: wire.Frame}) }

// serve has h serve one request, and returns what h got as its request.
func (c *fakeConn) serve(parent context.Context, method string, w http.ResponseWriter, h http.HandlerFunc) (got *http.Request) {
	r := httptest.NewRequest(method, "/", nil)
	r.ProtoMajor = 2
	ctx := context.WithValue(parent, wire.Key, wire.Conn(c))
	httpwire.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		h(w, r)
	})).ServeHTTP(w, r.WithContext(ctx))
	return got
}
