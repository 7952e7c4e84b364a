package frameworks_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// reverseProxy passes requests on to s.
func reverseProxy(t *testing.T, s *server) http.Handler {
	t.Helper()
	u, err := url.Parse(s.url)
	must(t, err)
	return &httputil.ReverseProxy{
		Transport: s.client(t).Transport,
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(u) },
		ErrorLog:  log.New(io.Discard, "", 0),
	}
}

// eachProxy runs f for each protocol in front of and behind a ReverseProxy.
func eachProxy(t *testing.T, f func(t *testing.T, front, back way)) {
	for _, front := range ways[:4] {
		for _, back := range ways[:4] {
			t.Run(front.name+"/"+back.name, func(t *testing.T) { f(t, front, back) })
		}
	}
}

// A client that leaves a ReverseProxy is reported by the backend, with what the
// proxy did; and by the proxy, if it is configured, with what the client did. It
// need not be.
func TestReverseProxy_clientLeaves(t *testing.T) {
	eachProxy(t, func(t *testing.T, front, back way) {
		for _, configured := range []bool{false, true} {
			visit := newVisit()
			backend := back.start(t, serveHTTP(visit.serve), true)
			atProxy := make(chan *httpwire.Disconnect, 8)
			next := reverseProxy(t, backend)
			proxy := front.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if configured {
					_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { atProxy <- d })
					if err != nil {
						t.Error(err)
					}
				}
				next.ServeHTTP(w, r)
			}), configured)
			ctx, leave := context.WithCancel(context.Background())
			answer := make(chan error, 1)
			go func() { answer <- get(ctx, proxy.client(t), proxy.url) }()
			must(t, receive(t, visit.ready, "the backend's handler"))
			leave()
			d := receive(t, visit.fired, "OnDisconnect's callback in the backend")
			wantLeft(t, d, back.proto, false)
			if err := receive(t, visit.cause, "the backend's context"); err != error(d) {
				t.Errorf("cause = %v, want %v", err, d)
			}
			if configured {
				wantLeft(t, receive(t, atProxy, "OnDisconnect's callback in the proxy"), front.proto, false)
			}
			receive(t, answer, "the client")
			receive(t, backend.ended, "the backend's end")
			receive(t, proxy.ended, "the proxy's end")
			visit.notFired(t)
		}
	})
}

// A proxy that passes an answer on is not left by its client, nor leaves its
// backend.
func TestReverseProxy_completion(t *testing.T) {
	eachProxy(t, func(t *testing.T, front, back way) {
		visit := newVisit()
		watch := func(r *http.Request) {
			_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { visit.fired <- d })
			if err != nil {
				t.Error(err)
			}
		}
		backend := back.start(t, serveHTTP(func(c call) { watch(c.r); c.ok() }), true)
		next := reverseProxy(t, backend)
		proxy := front.start(t, serveHTTP(func(c call) { watch(c.r); next.ServeHTTP(c.w, c.r) }), true)
		for range 20 {
			c := proxy.client(t)
			ctx, stop := context.WithTimeout(context.Background(), bound)
			if err := get(ctx, c, proxy.url); err != nil {
				t.Error(err)
			}
			stop()
			c.CloseIdleConnections()
			receive(t, proxy.ended, "the proxy's handler")
			receive(t, backend.ended, "the backend's handler")
		}
		visit.notFired(t)
	})
}
