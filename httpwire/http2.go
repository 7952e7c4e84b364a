package httpwire

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// The keys of TLSNextProto. The second is the contract between net/http and
// golang.org/x/net/http2 (net/http/server.go, x/net/http2/unencrypted.go): the
// *tls.Conn is a shell around a connection that has an UnencryptedNetConn
// method, and the client's preface has been read.
const (
	protoTLS         = "h2"
	protoUnencrypted = "unencrypted_http2"

	preface        = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, 3.4
	prefaceTimeout = 10 * time.Second                   // net/http's
	goAwayTimeout  = time.Second                        // likewise
)

type nextProto = func(*http.Server, *tls.Conn, http.Handler)

// wrapNextProtos puts a frame reader between every HTTP/2 connection and its
// server. Both kinds go in by the server's unencrypted entry, as the other takes
// nothing but a *tls.Conn. down says that Shutdown has been called.
func wrapNextProtos(srv *http.Server, down *atomic.Bool) {
	serve := srv.TLSNextProto[protoUnencrypted]
	if serve == nil {
		return // no HTTP/2, or one that we don't know: the context fallback
	}
	srv.TLSNextProto = maps.Clone(srv.TLSNextProto) // servers may share one
	if srv.TLSNextProto[protoTLS] != nil {
		srv.TLSNextProto[protoTLS] = func(hs *http.Server, c *tls.Conn, h http.Handler) {
			was := down.Load()
			if err := readPreface(c); err != nil {
				return // net/http closes c
			}
			if down.Load() != was {
				refuse(c)
				return
			}
			serveFrames(serve, hs, &tlsFrameConn{frameConn{Conn: c}}, h)
		}
	}
	srv.TLSNextProto[protoUnencrypted] = func(hs *http.Server, c *tls.Conn, h http.Handler) {
		u, ok := c.NetConn().(interface{ UnencryptedNetConn() net.Conn })
		if !ok {
			serve(hs, c, h) // says that this was unexpected
			return
		}
		serveFrames(serve, hs, &frameConn{Conn: u.UnencryptedNetConn()}, h)
	}
}

func readPreface(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		return err
	}
	var got [len(preface)]byte
	if _, err := io.ReadFull(c, got[:]); err != nil {
		return err
	}
	if string(got[:]) != preface {
		return fmt.Errorf("httpwire: bogus HTTP/2 greeting %q", got)
	}
	return c.SetReadDeadline(time.Time{})
}

// refuse tells a client, whose preface came after Shutdown had told all connections
// that the server knew, to go elsewhere. The server would have known this one, as it
// reads the preface itself; served now, it would hold Shutdown up for as long as its
// client likes. A close with input unread would be a reset, and could overtake the
// GOAWAY: like the server, we leave the client a second.
func refuse(c *tls.Conn) {
	const settings, goAway = "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"
	_ = c.SetDeadline(time.Now().Add(goAwayTimeout))
	if _, err := io.WriteString(c, settings+goAway); err == nil && c.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

type framedConn interface {
	net.Conn
	streams() *http2Conn
}

// serveFrames serves HTTP/2 on c, whose requests find its http2Conn.
func serveFrames(serve nextProto, hs *http.Server, c framedConn, h http.Handler) {
	hc := c.streams()
	hc.srv = hs
	ctx := context.Background()
	if b, ok := h.(interface{ BaseContext() context.Context }); ok {
		ctx = b.BaseContext()
	}
	hc.tcp, _ = ctx.Value(wire.Key).(*tcp)
	ctx = context.WithValue(ctx, wire.Key, hc)
	serve(hs, tls.Client(shell{inner: c}, nil), http2Handler{h, ctx})
}

// shell carries a connection through a parameter of type *tls.Conn.
type shell struct {
	net.Conn // nil: nobody calls its methods
	inner    net.Conn
}

func (s shell) UnencryptedNetConn() net.Conn { return s.inner }

// http2Handler is the handler of one connection with the base context of its
// requests, by the method that net/http and x/net look for.
type http2Handler struct {
	http.Handler
	ctx context.Context
}

func (h http2Handler) BaseContext() context.Context { return h.ctx }
