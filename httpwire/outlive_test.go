package httpwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// halfClosed has a visit whose client has half-closed and whose context ignores its
// parent.
func (vs *visits) halfClosed(t *testing.T, s *server, visit *visit) *halfClient {
	t.Helper()
	c := s.half(t, getHalf, "/")
	receive(t, visit.ready, "the handler")
	must(t, c.below.CloseWrite())
	waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
	visit.spared(t)
	return c
}

// Half-close, H3, H6: what would have ended the context ends it still, with its own
// cause, and is no disconnect.
func TestHalfClose_contextStillEnds(t *testing.T) {
	type ender struct {
		name   string
		set    func(*http.Server)
		finish func(s *server)
		cause  error
	}
	eachHalf(t, spare, func(t *testing.T, v variant) {
		ctx, stop := context.WithCancelCause(context.Background())
		defer stop(nil)
		for _, x := range []ender{
			{name: "Server.Close", finish: func(s *server) { _ = s.Close() }, cause: httpwire.ErrServerClosed},
			{name: "base context", set: func(s *http.Server) { s.BaseContext = func(net.Listener) context.Context { return ctx } },
				finish: func(*server) { stop(errBase) }, cause: errBase},
		} {
			t.Run(x.name, func(t *testing.T) {
				var vs visits
				s := vs.serve(t, v, func(s *http.Server) {
					if x.set != nil {
						x.set(s)
					}
				})
				visit := vs.hold(t, "/", nil)
				vs.halfClosed(t, s, visit)
				x.finish(s)
				polls := v.opts.HalfClose == httpwire.HalfCloseProbe // the others wait
				if polls && x.name == "base context" && visit.ctx.Err() == nil {
					t.Error("who polls sees the base context's end later than net/http's context would show it")
				}
				receive(t, visit.ctx.Done(), "the context to be done")
				if c := context.Cause(visit.ctx); !errors.Is(c, x.cause) || errors.Is(c, httpwire.ErrDisconnected) {
					t.Errorf("cause = %v, want %v", c, x.cause)
				}
				visit.end(t, 0)
			})
		}
	})
}

// Half-close, H6: a deadline that a handler around the middleware has set still holds.
func TestHalfClose_outerDeadline(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseIgnore), func(t *testing.T, v variant) {
		var vs visits
		s := v.configure(t, &vs)
		inner := s.Handler
		s.Handler = vs.outer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, stop := context.WithTimeout(r.Context(), time.Second/2)
			defer stop()
			inner.ServeHTTP(w, r.WithContext(ctx))
		}))
		s.listen(t)
		visit := vs.hold(t, "/", nil)
		c := s.half(t, getHalf, "/")
		receive(t, visit.ready, "the handler")
		must(t, c.below.CloseWrite())
		receive(t, visit.ctx.Done(), "the deadline")
		if visit.ctx.Err() != context.DeadlineExceeded {
			t.Errorf("Err = %v, want the deadline's", visit.ctx.Err())
		}
		visit.end(t, 0)
	})
}

// Half-close, H3: a write that our own deadline ends, ends the context as it does in
// net/http, and is no disconnect.
func TestHalfClose_writeDeadline(t *testing.T) {
	eachHalf(t, spare, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		write := make(chan struct{})
		var visit *visit
		visit = vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			close(visit.ready)
			<-write
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
			if err := writeUntilError(w, r); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
		})
		client := vs.halfClosed(t, s, visit)
		close(write)
		if v.tls {
			go io.Copy(io.Discard, client.below) //nolint:errcheck // crypto/tls waits 5 s for room for its close_notify
		}
		receive(t, visit.ctx.Done(), "the context to be done")
		if c := context.Cause(visit.ctx); c != httpwire.ErrServerDeadline {
			t.Errorf("cause = %v, want %v", c, httpwire.ErrServerDeadline)
		}
		visit.end(t, 0)
	})
}

// Half-close: requests that were pipelined before it are all answered, though
// net/http's context of all but the first is done before they begin.
func TestHalfClose_pipelined(t *testing.T) {
	eachHalf(t, spare, func(t *testing.T, v variant) {
		eachEnd(t, v, func(t *testing.T, end func(testing.TB, net.Conn, *net.TCPConn)) {
			const n = 4
			var vs visits
			s := vs.serve(t, v)
			var all []*visit
			var req strings.Builder
			for i := range n {
				all = append(all, vs.answer(t, fmt.Sprint("/", i), longBody, nil))
				fmt.Fprintf(&req, getHalf, fmt.Sprint("/", i))
			}
			c := s.half(t, "%s", req.String())
			for i, visit := range all {
				receive(t, visit.ready, "a handler")
				if i == 1 {
					end(t, c.c, c.below) // the second: net/http has ended a read by a deadline before
				}
				if i >= 1 {
					waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
					c.question(t, v)
				}
				visit.spared(t)
				close(visit.release)
				c.final(t, longBody)
				visit.end(t, 0)
			}
			c.over(t)
			if c.asked > n-1 {
				t.Errorf("asked %d times by %d requests", c.asked, n-1)
			}
		})
	})
}

// H1: above TLS a close_notify that comes with the second of two pipelined requests is
// told, though net/http has ended its reads by a deadline between them.
func TestOnDisconnect_closeNotifyPipelined(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseGone), func(t *testing.T, v variant) {
		if !v.tls {
			t.Skip("is about TLS")
		}
		var vs visits
		s := vs.serve(t, v)
		first, second := vs.hold(t, "/first", nil), vs.hold(t, "/second", nil)
		c := s.half(t, fmt.Sprintf(getHalf, "/first")+getHalf, "/second")
		receive(t, first.ready, "the first handler")
		first.end(t, 0)
		receive(t, second.ready, "the second handler")
		halves[1].end(t, c.c, c.below)
		second.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	})
}

// HalfClose is about HTTP/1: an HTTP/2 connection whose client has ended its sending is
// over.
func TestHalfClose_http2(t *testing.T) {
	for _, p := range spare {
		if kind, ok := httpwire.JudgeHTTP2(p); !ok || kind != httpwire.Closed {
			t.Errorf("what TCP knows: %v, %v", kind, ok)
		}
		each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
			v.opts = &httpwire.Options{HalfClose: p}
			var vs visits
			s := vs.serve(t, v)
			visit := vs.hold(t, "/", nil)
			c := s.h2(t)
			c.get("/")
			receive(t, visit.ready, "the handler")
			must(t, c.below.CloseWrite())
			visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: httpwire.Closed})
		})
	}
}

// Half-close, H3: nothing that the server does itself is a disconnect.
func TestHalfClose_falseFires(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseIgnore), func(t *testing.T, v variant) {
		for _, x := range ruses {
			if x.proto == httpwire.HTTP2 {
				continue
			}
			t.Run(x.name, func(t *testing.T) {
				t.Parallel() // deadlines
				var vs visits
				s := vs.serve(t, v, func(s *http.Server) {
					if x.set != nil {
						x.set(s)
					}
				})
				visit := vs.hold(t, "/", x.do)
				method := x.method
				if method == "" {
					method = "GET"
				}
				if x.drain {
					s.drainLater(t, visit)
				} else {
					s.request(t, method, "/")
				}
				receive(t, visit.ready, "the handler")
				if x.after != nil {
					x.after(t, s)
				}
				if !x.stays && !(v.bare && x.unseen) {
					receive(t, visit.ctx.Done(), "the context to be done")
					if c := context.Cause(visit.ctx); x.why != nil && !errors.Is(c, x.why) {
						t.Errorf("cause = %v, want %v", c, x.why)
					}
				}
				visit.end(t, 0)
			})
		}
	})
}

// Half-close: a connection that the kernel gives up is a disconnect, of its own kind.
func TestHalfClose_timedOut(t *testing.T) {
	for _, p := range spare {
		v := variants[0]
		v.opts = &httpwire.Options{HalfClose: p}
		var vs visits
		s := v.configure(t, &vs)
		s.Handler = vs.outer(s.Handler)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s.addr = l.Addr().String()
		s.serve(t, httpwire.Listener(failing{l}))
		write := make(chan struct{})
		var visit *visit
		visit = vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			close(visit.ready)
			<-write
			_, _ = io.WriteString(w, "fail")
			_ = http.NewResponseController(w).Flush()
			<-visit.release
		})
		c := s.half(t, "GET %s HTTP/1.0\r\n\r\n", "/")
		receive(t, visit.ready, "the handler")
		must(t, c.below.CloseWrite())
		waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
		close(write)
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Timeout})
	}
}

// failing accepts connections whose writes time out.
type failing struct{ net.Listener }

func (l failing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return failingConn{c}, nil
}

type failingConn struct{ net.Conn }

func (failingConn) Write([]byte) (int, error) { return 0, errTimeout }

// Half-close: a limit that did not end the request does not make a FIN its end, where
// the connection's own errors are not seen either.
func TestHalfClose_limitsFarAway(t *testing.T) {
	eachHalf(t, spare, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v, func(s *http.Server) { s.ReadTimeout = time.Hour })
		visit := vs.answer(t, "/", longBody, func(_ http.ResponseWriter, r *http.Request) {
			must(t, readAll(nil, r))
		})
		c := s.half(t, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "/")
		receive(t, visit.ready, "the handler")
		must(t, c.below.CloseWrite())
		waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
		visit.spared(t)
		close(visit.release)
		c.final(t, longBody)
		visit.end(t, 0)
	})
}
