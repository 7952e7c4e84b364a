package httpwire_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// H1: a handler that http.TimeoutHandler left behind, and that returns while its
// connection serves the next request, takes nothing from that one.
func TestOnDisconnect_behindTimedOut(t *testing.T) {
	v := variant{name: "h1", proto: httpwire.HTTP1, opts: &httpwire.Options{BodyReadAhead: 16 << 20}}
	var vs visits
	s := v.configure(t, &vs)
	h := vs.outer(s.Handler)
	s.Handler = lateOr(http.TimeoutHandler(h, 20*time.Millisecond, "late"), h)
	s.listen(t)
	late, next := vs.hold(t, "/late", nil), vs.hold(t, "/next", nil)
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/late")
	receive(t, late.ready, "the handler")
	body, err := readResponse(c)
	if must(t, err); body != "late" {
		t.Fatalf("answer %q", body)
	}
	post(t, c, "/next", 8<<20)
	receive(t, next.ready, "the next handler")
	late.end(t, 0)
	_, err = c.Write(make([]byte, 8<<20)) // nobody reads it but the reader ahead
	must(t, err)
	must(t, c.Close())
	next.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
}

// lateOr has late serve the requests for /late, and rest all others.
func lateOr(late, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			late.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// H1: a handler that was left behind before it came to us, and that comes while its connection
// serves the next request, or between two, takes nothing from the next one.
func TestOnDisconnect_attachesTimedOut(t *testing.T) {
	for _, when := range []string{"never", "between", "in the next request"} {
		t.Run(when, func(t *testing.T) {
			each(t, httpwire.HTTP1, func(t *testing.T, v variant) { attachesTimedOut(t, v, when) })
		})
	}
}

func attachesTimedOut(t *testing.T, v variant, when string) {
	var vs visits
	idle := make(chan struct{}, 1)
	s := v.configure(t, &vs, func(s *http.Server) {
		s.ConnState = func(_ net.Conn, st http.ConnState) {
			if st == http.StateIdle {
				idle <- struct{}{}
			}
		}
	})
	h, moment := vs.outer(s.Handler), make(chan struct{})
	limited := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receive(t, moment, "its moment")
		h.ServeHTTP(w, r)
	}), time.Millisecond, "late")
	s.Handler = lateOr(limited, h)
	s.listen(t)
	late, next := vs.hold(t, "/late", nil), vs.hold(t, "/next", nil)
	comes := func() {
		close(moment)
		receive(t, late.ready, "the handler that was left behind")
		receive(t, late.ctx.Done(), "its context, which the time limit ended")
	}
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/late")
	if body, err := readResponse(c); err != nil || body != "late" {
		t.Fatalf("answer %q, %v", body, err)
	}
	receive(t, idle, "the end of the response")
	if when == "between" {
		comes()
	}
	post(t, c, "/next", 1<<20)
	receive(t, next.ready, "the next handler")
	if when == "in the next request" {
		comes()
	}
	must(t, c.Close())
	next.left(t)
	if when == "never" {
		comes() // after the client has left, and may be told
		close(late.release)
		receive(t, late.ended, "its return")
		return
	}
	late.end(t, 0)
}

// C1: of two handlers that one request has at a time, such as a fallback beside a first try that goes on, the
// second is told that the client has left.
func TestOnDisconnect_twoHandlers(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		h := vs.outer(httpwire.Handler(&vs))
		s := v.configure(t, http.NotFoundHandler())
		first, second := vs.hold(t, "/first", nil), vs.hold(t, "/second", nil)
		as := func(r *http.Request, path string) *http.Request {
			r = r.Clone(r.Context())
			r.URL.Path = path
			return r
		}
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go h.ServeHTTP(httptest.NewRecorder(), as(r, "/first"))
			receive(t, first.ready, "the first handler")
			h.ServeHTTP(w, as(r, "/second"))
		})
		s.listen(t)
		c, _ := s.dial(t)
		post(t, c, "/", 1<<20)
		receive(t, second.ready, "the second handler")
		must(t, c.Close())
		second.left(t)
		close(first.release)
		receive(t, first.ended, "the first handler's return")
	})
}

// H2: of requests that were pipelined before a half-close, whose contexts are all done, each has its turn, also
// where another one was left behind: the reset that comes then is told to the one that is served.
func TestOnDisconnect_pipelinedTimedOut(t *testing.T) {
	v := variant{name: "h1", proto: httpwire.HTTP1, opts: &httpwire.Options{HalfClose: httpwire.HalfCloseIgnore}}
	var vs visits
	s := v.configure(t, &vs)
	h, come := vs.outer(s.Handler), make(chan struct{})
	late, next := vs.hold(t, "/late", nil), vs.hold(t, "/next", nil)
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			go func() {
				receive(t, come, "its moment")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}()
			return
		}
		receive(t, r.Context().Done(), "the FIN")
		close(come)
		receive(t, late.ready, "the handler that was left behind")
		h.ServeHTTP(w, r)
	})
	s.listen(t)
	c, below := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n", "/late")
	must(t, below.CloseWrite())
	receive(t, next.ready, "the next handler")
	must(t, below.SetLinger(0))
	must(t, below.Close())
	next.left(t)
	close(late.release)
	receive(t, late.ended, "the return of the one that was left behind")
}

// H2: a request that comes to its handler after its connection was closed is told
// why, also where net/http does not notice, as its body is unread.
func TestContext_closedBeforeHandler(t *testing.T) {
	for _, v := range variants[:2] {
		t.Run(v.name, func(t *testing.T) {
			var vs visits
			s := v.configure(t, &vs)
			h := vs.outer(s.Handler)
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = s.Close()
				h.ServeHTTP(w, r)
			})
			s.listen(t)
			visit := vs.hold(t, "/", nil)
			c, _ := s.dial(t)
			post(t, c, "/", 1<<20)
			receive(t, visit.ready, "the handler")
			receive(t, visit.ctx.Done(), "the context to be done")
			visit.end(t, 0)
			if cause := context.Cause(visit.ctx); !errors.Is(cause, httpwire.ErrServerClosed) {
				t.Errorf("cause = %v, want ErrServerClosed", cause)
			}
		})
	}
}
