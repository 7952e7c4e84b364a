package httpwire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// H3, rule 6: clients that leave because Server.Close has told them so, before it
// has closed their descriptors, as it does above TLS.
func TestOnDisconnect_serverCloseFirst(t *testing.T) {
	const rounds, clients = 10, 16
	each(t, 0, func(t *testing.T, v variant) {
		if v.bare {
			t.Skip("Server.Close can't be told without the wrapped listener")
		}
		for range rounds {
			entered, closed := make(chan struct{}, clients), make(chan struct{})
			s := v.start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
					t.Errorf("Server.Close came out as: %v (by %v)", d, d.Source)
				})
				if err != nil {
					t.Error(err)
				}
				entered <- struct{}{}
				<-r.Context().Done()
				<-closed
			}))
			var wg sync.WaitGroup
			for range clients {
				tr := v.transport()
				wg.Go(func() {
					defer tr.CloseIdleConnections()
					if res, err := tr.RoundTrip(get(s.url("/"))); err == nil {
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				})
			}
			for range clients {
				receive(t, entered, "the handlers")
			}
			_ = s.Close()
			wg.Wait()
			close(closed)
		}
	})
}

// H2: a Server.Close whose close_notify finds no room until its deadline, which is
// crypto/tls's own, is a Server.Close.
func TestContext_serverCloseMeetsDeadline(t *testing.T) {
	eachHalf(t, []httpwire.HalfClosePolicy{httpwire.HalfCloseGone, httpwire.HalfCloseIgnore}, func(t *testing.T, v variant) {
		if !v.tls || v.bare {
			t.Skip("is about close_notify, below a wrapped listener")
		}
		var vs visits
		s := v.configure(t, &vs)
		s.Handler = vs.outer(s.Handler)
		l := &fullListener{Listener: listen(t)}
		s.addr = l.Addr().String()
		s.serve(t, httpwire.Listener(l))
		visit := vs.hold(t, "/", nil)
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
		receive(t, visit.ready, "the handler")
		l.full.Store(true)
		must(t, s.Close())
		if !l.met.Load() {
			t.Error("there was no close_notify")
		}
		receive(t, visit.ctx.Done(), "the context to be done")
		if c := context.Cause(visit.ctx); c != httpwire.ErrServerClosed {
			t.Errorf("cause = %v, want ErrServerClosed", c)
		}
		visit.end(t, 0)
	})
}

// A fullListener accepts connections that, once it is full, take nothing before the
// deadline, which they do not wait for.
type fullListener struct {
	net.Listener
	full, met atomic.Bool
}

func (l *fullListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fullConn{c.(*net.TCPConn), l}, nil
}

type fullConn struct {
	*net.TCPConn
	l *fullListener
}

func (c fullConn) Write(b []byte) (int, error) {
	if c.l.full.Load() {
		c.l.met.Store(true)
		return 0, os.ErrDeadlineExceeded
	}
	return c.TCPConn.Write(b)
}

func get(url string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	return r
}

// H7: a request's trailers reach the handler, announced or not, also through our copy of
// the request, which it gets where a handler is around ours.
func TestHandler_trailers(t *testing.T) {
	t.Run("outermost", func(t *testing.T) { trailers(t, func(h http.Handler) http.Handler { return h }) })
	t.Run("around", func(t *testing.T) { trailers(t, around) })
}

func trailers(t *testing.T, around func(http.Handler) http.Handler) {
	for _, announced := range []string{"", "Trailer: X-Sum\r\n"} {
		each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
			got := make(chan http.Header, 1)
			s := v.configure(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				got <- r.Trailer
			}))
			s.Handler = around(s.Handler)
			s.listen(t)
			c, _ := s.dial(t)
			_, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\n%sTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n", announced)
			must(t, err)
			if sum := receive(t, got, "the handler").Get("X-Sum"); sum != "1" {
				t.Errorf("announced %q: the trailer is %q", strings.TrimSpace(announced), sum)
			}
		})
	}
}

// A TLS client's close_notify is noticed on connections that are no sockets, too.
func TestListener_notASocket(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		if v.bare {
			t.Skip("is about the wrapped listener")
		}
		var vs visits
		s := v.configure(t, &vs)
		s.Handler = vs.outer(s.Handler)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s.addr = l.Addr().String()
		s.serve(t, httpwire.Listener(opaque{l}))
		visit := vs.hold(t, "/", nil)
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
		receive(t, visit.ready, "the handler")
		must(t, c.Close())
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	})
}

// opaque accepts connections that hide their descriptors.
type opaque struct{ net.Listener }

func (l opaque) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return struct{ net.Conn }{c}, err
}

// H1: during a Shutdown, which does not close connections, a reset is told at once,
// with its code.
func TestOnDisconnect_resetInShutdown(t *testing.T) {
	eachAtOnce(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		id := c.get("/")
		receive(t, visit.ready, "the handler")
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		receive(t, c.goAway, "GOAWAY")
		c.ping()
		c.reset(id, 0xbeef)
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: httpwire.StreamReset, Code: 0xbeef, HasCode: true})
		must(t, receive(t, down, "Shutdown"))
	})
}
