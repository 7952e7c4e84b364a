package httpwire_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// Configure sets up HTTP/2 where net/http would, and nowhere else.
func TestConfigure_http2(t *testing.T) {
	with := func(f func(p *http.Protocols)) *http.Protocols {
		p := new(http.Protocols)
		f(p)
		return p
	}
	servers := []struct {
		name string
		srv  *http.Server
		want bool
	}{
		{"zero", &http.Server{}, true},
		{"TLSNextProto without h2", &http.Server{TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}, false},
		{"HTTP/1 only", &http.Server{Protocols: with(func(p *http.Protocols) { p.SetHTTP1(true) })}, false},
		{"h2c", &http.Server{Protocols: with(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })}, true},
	}
	for _, x := range servers {
		t.Run(x.name, func(t *testing.T) {
			must(t, httpwire.Configure(x.srv, nil))
			if got := x.srv.TLSNextProto["h2"] != nil; got != x.want {
				t.Errorf("h2 registered: %v, want %v", got, x.want)
			}
		})
	}
	t.Run("http2server=0", func(t *testing.T) {
		t.Setenv("GODEBUG", "http2server=0")
		srv := &http.Server{}
		must(t, httpwire.Configure(srv, nil))
		if srv.TLSNextProto["h2"] != nil {
			t.Error("h2 registered although GODEBUG disables it")
		}
	})
}

// What net/http finds wrong with the TLS configuration is Configure's error.
func TestConfigure_error(t *testing.T) {
	srv := &http.Server{TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
	}}
	if err := httpwire.Configure(srv, nil); err == nil {
		t.Error("no error for cipher suites that HTTP/2 forbids")
	}
}

// The owner's tls.Config is left alone: a listener may have been made of it.
func TestConfigure_tlsConfigIsCloned(t *testing.T) {
	conf := &tls.Config{NextProtos: []string{"http/1.1"}}
	srv := &http.Server{TLSConfig: conf}
	must(t, httpwire.Configure(srv, &httpwire.Options{}))
	if slices.Contains(conf.NextProtos, "h2") || !slices.Contains(srv.TLSConfig.NextProtos, "h2") {
		t.Errorf("owner's %q, server's %q", conf.NextProtos, srv.TLSConfig.NextProtos)
	}
}

// The owner's ConnState hook sees one connection from new to closed, and the
// ConnContext hook's values reach the handler.
func TestConfigure_hooks(t *testing.T) {
	type key struct{}
	each(t, 0, func(t *testing.T, v variant) {
		var mu sync.Mutex
		states, closed := map[net.Conn][]http.ConnState{}, make(chan struct{})
		values := make(chan any, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { values <- r.Context().Value(key{}) }),
			func(s *http.Server) {
				s.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, "value") }
				s.ConnState = func(c net.Conn, st http.ConnState) {
					mu.Lock()
					defer mu.Unlock()
					states[c] = append(states[c], st)
					if st == http.StateClosed {
						close(closed)
					}
				}
			})
		leave := s.request(t, "GET", "/")
		if got := receive(t, values, "the handler"); got != "value" {
			t.Errorf("value = %v", got)
		}
		leave()
		_ = s.Close()
		receive(t, closed, "StateClosed")
		mu.Lock()
		defer mu.Unlock()
		if len(states) != 1 {
			t.Errorf("the hook saw %d connections for one: %v", len(states), states)
		}
	})
}

// A request over TLS has its TLS state, with HTTP/2 too; bodies and trailers pass.
func TestConfigure_requestIsWhole(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.TLS != nil; got != v.tls {
				t.Errorf("TLS state: %v, want %v", got, v.tls)
			}
			if r.RemoteAddr == "" || r.ProtoMajor != int(v.proto) {
				t.Errorf("RemoteAddr %q, %s", r.RemoteAddr, r.Proto)
			}
			must(t, http.NewResponseController(w).EnableFullDuplex())
			n, err := io.Copy(w, r.Body)
			if n != 1<<20 || err != nil {
				t.Errorf("read %d, %v", n, err)
			}
		}))
		tr := v.transport()
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Post(s.url("/"), "", io.LimitReader(zeros{}, 1<<20))
		must(t, err)
		n, err := io.Copy(io.Discard, resp.Body)
		if n != 1<<20 || err != nil {
			t.Errorf("client read %d, %v", n, err)
		}
		_ = resp.Body.Close()
	})
}

// The ways to serve of the package's own.
func TestListenAndServe(t *testing.T) {
	for name, serve := range map[string]func(*http.Server) error{
		"cleartext": httpwire.ListenAndServe,
		"TLS":       func(s *http.Server) error { return httpwire.ListenAndServeTLS(s, "", "") },
	} {
		t.Run(name, func(t *testing.T) {
			up := make(chan net.Listener, 1)
			srv := &http.Server{Addr: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}}
			srv.BaseContext = func(l net.Listener) context.Context { up <- l; return context.Background() }
			must(t, httpwire.Configure(srv, nil))
			served := make(chan error, 1)
			go func() { served <- serve(srv) }()
			receive(t, up, "the listener")
			must(t, srv.Close())
			if err := receive(t, served, "the server to end"); err != http.ErrServerClosed {
				t.Errorf("err = %v", err)
			}
		})
	}
	if err := httpwire.ListenAndServeTLS(&http.Server{Addr: "127.0.0.1:0"}, "no", "no"); err == nil {
		t.Error("no error for a missing certificate")
	}
}

// A second Configure with other options, or with bad ones, says so.
func TestConfigure_otherOptions(t *testing.T) {
	srv := &http.Server{}
	must(t, httpwire.Configure(srv, &httpwire.Options{BodyReadAhead: 1}))
	must(t, httpwire.Configure(srv, &httpwire.Options{BodyReadAhead: 1}))
	if httpwire.Configure(srv, nil) == nil || httpwire.Configure(srv, &httpwire.Options{BodyReadAhead: -1}) == nil {
		t.Error("other options were dropped in silence")
	}
}

// Nor is a server wrapped twice whose Handler was wrapped in between: the evidence would have two owners.
func TestConfigure_handlerWrappedSince(t *testing.T) {
	srv := &http.Server{}
	must(t, httpwire.Configure(srv, nil))
	inner := srv.Handler
	srv.Handler = http.HandlerFunc(inner.ServeHTTP)
	if httpwire.Configure(srv, nil) == nil {
		t.Error("it was configured twice")
	}
}
