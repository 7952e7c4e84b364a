package h3

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Configure makes srv watch for clients that leave. It is the last step before
// serving: it wraps srv.Handler (http.DefaultServeMux if nil) and
// srv.ConnContext, and, unless srv.QUICConfig has a KeepAlivePeriod, replaces
// srv.QUICConfig by a copy that has one, of a third of MaxIdleTimeout: a client
// that waits in silence for its answer would be cut off by the idle timeout.
//
// The keep-alive also holds connections without requests open as long as their
// client is there, as net/http does: srv.IdleTimeout bounds that. A listener or
// connection of the program's own (ServeListener, ServeQUICConn,
// NewRawServerConn) has its own quic.Config, which Configure can't reach: set
// KeepAlivePeriod there.
//
// Of opts, which may be nil, only PeerTimeout concerns HTTP/3: it bounds MaxIdleTimeout
// by half of it, and HandshakeIdleTimeout too, in the copy of srv.QUICConfig and in
// what its GetConfigForClient returns; a shorter timeout there stays.
//
// Calling Configure again for the same srv does nothing. It must not be called
// while srv is serving. It fails if srv is nil or opts make no sense.
func Configure(srv *http3.Server, opts *httpwire.Options) error {
	if srv == nil {
		return errors.New("h3: Configure of a nil *http3.Server")
	}
	if _, done := srv.Handler.(*handler); done {
		return nil
	}
	if err := wire.CheckOptions(opts); err != nil {
		return err
	}
	var peer time.Duration
	if opts != nil {
		peer = opts.PeerTimeout
	}
	next := srv.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	srv.Handler = &handler{httpwire.Handler(next)}
	srv.ConnContext = connContext(srv.ConnContext)
	srv.QUICConfig = keepAlive(srv.QUICConfig, peer)
	return nil
}

// A handler is httpwire's, of a type of our own by which Configure knows a
// server that it has been through.
type handler struct{ http.Handler }

// connContext returns a ConnContext that calls the program's own, if there is
// one, and adds our view of the connection to what it returns.
func connContext(own func(context.Context, *quic.Conn) context.Context) func(context.Context, *quic.Conn) context.Context {
	return func(ctx context.Context, qc *quic.Conn) context.Context {
		serving, _ := ctx.Value(http3.ServerContextKey).(*http3.Server) // not the one configured, where it has only its hooks
		if own != nil {
			if ctx = own(ctx, qc); ctx == nil {
				return nil // http3 panics with a message of its own
			}
		}
		return context.WithValue(ctx, wire.Key, newConn(ctx, qc, serving))
	}
}
