package httpwire_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// outerStop is the key of what cancels the context that a handler around the middleware
// has derived.
type outerStop struct{}

// serveUnder starts a server of vs with a handler around the middleware whose context is
// one of its own.
func (vs *visits) serveUnder(t *testing.T, v variant) *server {
	t.Helper()
	s := v.configure(t, vs)
	inner := s.Handler
	s.Handler = vs.outer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, stop := context.WithCancel(r.Context())
		defer stop()
		inner.ServeHTTP(w, r.WithContext(context.WithValue(ctx, outerStop{}, stop)))
	}))
	s.listen(t)
	return s
}

// H3, H7: a handler around the middleware cancels its own context, without a cause: that
// is no disconnect, whatever net/http reads meanwhile, under any policy.
func TestOnDisconnect_outerCancel(t *testing.T) {
	for name, sent := range map[string]string{
		"GET":       "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
		"body":      "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nwh", // nobody reads it
		"pipelined": "GET %s HTTP/1.1\r\nHost: h\r\n\r\nG",                        // net/http reads no further
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 0, func(t *testing.T, v variant) {
				if v.proto == httpwire.HTTP2 && name == "pipelined" {
					t.Skip("HTTP/1 only")
				}
				for _, p := range []httpwire.HalfClosePolicy{httpwire.HalfCloseGone, httpwire.HalfCloseIgnore, httpwire.HalfCloseProbe} {
					v.opts = &httpwire.Options{HalfClose: p}
					var vs visits
					s := vs.serveUnder(t, v)
					visit := vs.hold(t, "/", nil)
					if v.proto == httpwire.HTTP2 {
						s.request(t, map[string]string{"GET": "GET", "body": "POST"}[name], "/")
					} else {
						c, _ := s.dial(t)
						send(t, c, sent, "/")
					}
					receive(t, visit.ready, "the handler")
					visit.ctx.Done() // somebody follows it
					visit.ctx.Value(outerStop{}).(context.CancelFunc)()
					receive(t, visit.ctx.Done(), "the context to be done")
					if c := context.Cause(visit.ctx); c != context.Canceled {
						t.Errorf("policy %d: cause = %v, want context.Canceled", p, c)
					}
					visit.end(t, 0)
				}
			})
		})
	}
}

// H1, H7: the client that leaves behind such a cancel is told of all the same.
func TestOnDisconnect_leavesAfterOuterCancel(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serveUnder(t, v)
		visit := vs.hold(t, "/", nil)
		leave := s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		visit.ctx.Value(outerStop{}).(context.CancelFunc)()
		receive(t, visit.ctx.Done(), "the context to be done")
		leave()
		if d := receive(t, visit.fired, "OnDisconnect's callback"); d.Kind != httpwire.Reset || !errors.Is(d, httpwire.ErrDisconnected) {
			t.Errorf("told as %v", d)
		}
		visit.end(t, 1)
	})
}
