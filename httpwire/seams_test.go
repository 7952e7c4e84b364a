package httpwire_test

import (
	"context"
	"errors"
	"net/http"
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
	limited := http.TimeoutHandler(h, 20*time.Millisecond, "late")
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			limited.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
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

// H3: after a GOAWAY with an error the server answers nobody on the connection any
// more: the client that closes it then has not left.
func TestOnDisconnect_closesAfterOurGoAway(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		c.get("/")
		receive(t, visit.ready, "the handler")
		must(t, c.fr.WriteRSTStream(99, 8)) // an idle stream: a protocol error
		c.flush()
		receive(t, c.goAway, "GOAWAY")
		must(t, c.c.Close())
		receive(t, visit.ctx.Done(), "the context to be done")
		visit.end(t, 0)
		if cause := context.Cause(visit.ctx); !errors.Is(cause, httpwire.ErrServerClosed) {
			t.Errorf("cause = %v, want ErrServerClosed", cause)
		}
	})
}
