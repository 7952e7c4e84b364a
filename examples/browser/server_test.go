//go:build cgo

package browser_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
)

// A way is one way to serve.
type way struct {
	name    string
	proto   httpwire.Protocol
	tls     bool
	version string // of a request that came by it
}

var ways = []way{
	{"h1", httpwire.HTTP1, false, "HTTP/1.1"},
	{"h1-tls", httpwire.HTTP1, true, "HTTP/1.1"},
	{"h2", httpwire.HTTP2, true, "HTTP/2.0"},
	{"h3", httpwire.HTTP3, true, "HTTP/3.0"},
}

// A server serves page at /, and what the tests handle.
type server struct {
	way
	addr, url string
	mux       *http.ServeMux
}

//go:embed page.html
var page string

// start serves until t ends.
func (v way) start(t *testing.T) *server {
	t.Helper()
	s := &server{way: v, mux: http.NewServeMux()}
	s.handle(t, "/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	})
	s.handle(t, "/favicon.ico", http.NotFound)
	if v.proto == httpwire.HTTP3 {
		s.serveQUIC(t)
	} else {
		s.serveTCP(t)
	}
	s.url = "http://" + s.addr
	if v.tls {
		s.url = "https://" + s.addr
	}
	return s
}

// handle has h serve the requests for path, which must come by the server's protocol.
func (s *server) handle(t *testing.T, path string, h http.HandlerFunc) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != s.version {
			t.Errorf("%s came by %s, want %s", r.URL, r.Proto, s.version)
		}
		h(w, r)
	})
}

func (s *server) serveTCP(t *testing.T) {
	srv := &http.Server{Handler: s.mux, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0)}
	srv.Protocols.SetHTTP1(s.proto == httpwire.HTTP1)
	srv.Protocols.SetHTTP2(s.proto == httpwire.HTTP2)
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	must(t, httpwire.Configure(srv, nil))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.addr = l.Addr().String()
	l = httpwire.Listener(l)
	served := make(chan error, 1)
	go func() {
		if s.tls {
			served <- srv.ServeTLS(l, "", "")
		} else {
			served <- srv.Serve(l)
		}
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		receive(t, served, "Serve to return")
	})
}

func (s *server) serveQUIC(t *testing.T) {
	srv := &http3.Server{
		Handler: s.mux, Logger: slog.New(slog.DiscardHandler),
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate()}}),
	}
	must(t, h3.Configure(srv, nil))
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	s.addr = c.LocalAddr().String()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(c) }()
	t.Cleanup(func() {
		_ = srv.Close()
		receive(t, served, "Serve to return")
		_ = c.Close()
	})
}

// client returns a client, not a browser, with connections of its own.
func (s *server) client(t *testing.T) *http.Client {
	conf := &tls.Config{InsecureSkipVerify: true}
	if s.proto == httpwire.HTTP3 {
		tr := &http3.Transport{TLSClientConfig: conf}
		t.Cleanup(func() { _ = tr.Close() })
		return &http.Client{Transport: tr}
	}
	tr := &http.Transport{TLSClientConfig: conf, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(s.proto == httpwire.HTTP1)
	tr.Protocols.SetHTTP2(s.proto == httpwire.HTTP2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// get makes a request that t bounds.
func (s *server) get(t *testing.T, path string) *http.Request {
	ctx, stop := context.WithTimeout(context.Background(), bound)
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	must(t, err)
	return r
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

// keyHash is what Chromium calls the certificate by.
func keyHash() string {
	sum := sha256.Sum256(certificate().Leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
