package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"reflect"
	"sync/atomic"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Configure prepares srv to notice that its clients leave. It wraps srv's
// Handler, ConnContext, ConnState and the HTTP/2 entries of TLSNextProto, and is
// the last step before serving: what is set in srv afterwards is either ignored
// or undoes it, except that Handler may be wrapped once more. A server that was configured before, with the
// same options, is left as it is; it is an error if they are others, or if Handler has
// been wrapped since. Configure must not be called while srv is serving. It panics if srv is nil.
//
// HTTP/2 is set up as srv would do it itself (Protocols, TLSNextProto and GODEBUG
// http2server count), or by golang.org/x/net/http2.ConfigureServer, called before.
//
// Serve it on a wrapped [Listener], by [ListenAndServe] or [ListenAndServeTLS]:
// without it, HTTP/1.1 has only the connection monitor, on Linux, macOS and the
// BSDs, and only the context ([SourceContext]) elsewhere.
func Configure(srv *http.Server, opts *Options) error {
	if srv == nil {
		panic("httpwire: nil server")
	}
	h := srv.Handler
	if h == nil {
		h = http.DefaultServeMux
	}
	o, err := opts.checked()
	if err != nil {
		return err
	}
	if c, ok := h.(*configured); ok {
		if c.opts != *o {
			return errors.New("httpwire: the server has been configured before, with other options")
		}
		return nil
	}
	if isOurs(srv.ConnContext) {
		return errors.New("httpwire: the server has been configured before, and its Handler changed since")
	}
	sendPings(srv, o.PeerTimeout)
	if err := setUpHTTP2(srv); err != nil {
		return err
	}
	var bare bareConns
	wrapConnContext(srv, &bare, o)
	wrapConnState(srv, &bare)
	wrapLateConnState(srv)
	c := &configured{middleware: *Handler(h).(*middleware), opts: *o}
	srv.RegisterOnShutdown(func() { c.down.Store(true) })
	wrapNextProtos(srv, &c.down)
	srv.Handler = c
	return nil
}

// configured is the handler of a configured server.
type configured struct {
	middleware
	opts Options
	down atomic.Bool // Shutdown has been called
}

// wrapConnContext makes requests find their TCP connection. Inlined, it would make functions by which
// isOurs does not know it.
//
//go:noinline
func wrapConnContext(srv *http.Server, bare *bareConns, o *Options) {
	inner := srv.ConnContext
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		serving, _ := ctx.Value(http.ServerContextKey).(*http.Server) // not srv, where it has only srv's hooks
		if inner != nil {
			if ctx = inner(ctx, c); ctx == nil {
				return nil // net/http says what it thinks of that
			}
		}
		limitSilence(c, o.PeerTimeout)
		t := tcpOf(c)
		if t == nil {
			if t = bare.add(c); t == nil {
				return ctx
			}
		}
		_, t.tls = c.(*tls.Conn)
		t.srv, t.base, t.halfClose, t.top = serving, ctx, o.HalfClose, c
		readAhead(c, o)
		return context.WithValue(ctx, wire.Key, t)
	}
}

// isOurs reports whether f is of wrapConnContext's.
func isOurs(f func(context.Context, net.Conn) context.Context) bool {
	var sample http.Server
	wrapConnContext(&sample, nil, nil)
	return f != nil && reflect.ValueOf(f).Pointer() == reflect.ValueOf(sample.ConnContext).Pointer()
}

// wrapConnState shows the user's hook the connection that net/http shows it, not
// our frame reader in it; notes whose turn it is; and forgets bare connections. They can only be
// forgotten after their close, when the kernel has dropped the registration.
func wrapConnState(srv *http.Server, bare *bareConns) {
	inner := srv.ConnState
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateActive:
			if t := bare.http1(c); t != nil {
				t.turn.Store(turnBegun)
			}
		case http.StateIdle:
			if t := bare.http1(c); t != nil {
				t.answer()
			}
		case http.StateHijacked:
			if t := bare.of(shown(c)); t != nil {
				t.takeBack()
				t.stopAhead()
			}
			bare.forget(shown(c))
		case http.StateClosed:
			bare.forget(shown(c))
		}
		if inner != nil {
			inner(shown(c), state)
		}
	}
}

// tcpOf returns the evidence of a wrapped connection, also below TLS.
func tcpOf(c net.Conn) *tcp {
	if w := connOf(c); w != nil {
		return &w.tcp
	}
	return nil
}

// connOf returns the wrapped connection that c is, or is above.
func connOf(c net.Conn) *conn {
	for {
		switch w := c.(type) {
		case *conn:
			return w
		case interface{ NetConn() net.Conn }:
			c = w.NetConn()
		default:
			return nil
		}
	}
}

// setUpHTTP2 makes srv register its bundled HTTP/2 now, as it would when it
// starts to serve: it is done by ServeTLS before anything else. The names of the
// files then end ServeTLS, before it touches the listener.
func setUpHTTP2(srv *http.Server) error {
	if srv.TLSConfig != nil {
		// A listener may have been made of this one already: "h2" must not
		// appear in it behind the owner's back.
		srv.TLSConfig = srv.TLSConfig.Clone()
	}
	err := srv.ServeTLS(deadListener{}, "\x00", "\x00")
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil
	}
	return err
}

type deadListener struct{}

func (deadListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (deadListener) Close() error              { return nil }
func (deadListener) Addr() net.Addr            { return &net.TCPAddr{} }
