package h3_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/quic-go/quic-go/http3"
)

// A visit is one request inside its handler, under watch.
type visit struct {
	t        testing.TB
	w        http.ResponseWriter
	r        *http.Request
	fired    chan *httpwire.Disconnect // room for more than the one that may come
	release  chan struct{}             // closed: the handler may return
	returned chan struct{}             // closed: it has, and the watch with it
}

func newVisit(t testing.TB, w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{
		t: t, w: w, r: r,
		fired:   make(chan *httpwire.Disconnect, 16),
		release: make(chan struct{}), returned: make(chan struct{}),
	}
	atEnd(r, func() { close(v.returned) })
	return v
}

func (v *visit) register() {
	_, err := httpwire.OnDisconnect(v.r, func(d *httpwire.Disconnect) { v.fired <- d })
	if err != nil {
		v.t.Errorf("OnDisconnect: %v", err)
	}
}

// disconnect waits for the callback, lets the handler return and checks that
// it was the only one and that the request's context says the same.
func (v *visit) disconnect() *httpwire.Disconnect {
	v.t.Helper()
	d := recv(v.t, v.fired, "the callback")
	recv(v.t, v.r.Context().Done(), "the request's context")
	if got := context.Cause(v.r.Context()); got != error(d) {
		v.t.Errorf("context.Cause = %v, want the Disconnect %v", got, d)
	}
	if !errors.Is(d, httpwire.ErrDisconnected) || d.Proto != httpwire.HTTP3 || d.Time.IsZero() {
		v.t.Errorf("bad Disconnect: %#v", d)
	}
	v.finish()
	v.untouched()
	return d
}

// finish lets the handler return and waits until the watch is over.
func (v *visit) finish() {
	v.t.Helper()
	close(v.release)
	recv(v.t, v.returned, "the handler's return")
}

// untouched checks that no callback is left that nobody took.
func (v *visit) untouched() {
	v.t.Helper()
	select {
	case d := <-v.fired:
		v.t.Errorf("a callback that should not be: %v", d)
	default:
	}
}

// want checks kind and code; code < 0 is for none.
func want(t testing.TB, d *httpwire.Disconnect, kind httpwire.Kind, code int64) {
	t.Helper()
	if d.Kind != kind || d.HasCode != (code >= 0) || code >= 0 && d.Code != uint64(code) {
		t.Errorf("got %v, want %v with code %#x", d, kind, code)
	}
}

// A server serves HTTP/3 on loopback. Requests for / become visits; the rest go
// to handle.
type server struct {
	*http3.Server
	t      testing.TB
	addr   string
	tls    *tls.Config // for clients
	visits chan *visit
	served chan error
}

type option func(*http3.Server)

// serve starts a configured server. handle may be nil.
func serve(t testing.TB, handle http.HandlerFunc, opts ...option) *server {
	t.Helper()
	s := configure(t, handle, nil, opts...)
	s.start()
	return s
}

// configure is serve, with options, without serving.
func configure(t testing.TB, handle http.HandlerFunc, o *httpwire.Options, opts ...option) *server {
	t.Helper()
	s := &server{Server: &http3.Server{}, t: t, visits: make(chan *visit, 64), served: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.visit)
	if handle != nil {
		mux.HandleFunc("/handle", handle)
	}
	s.Handler = mux
	s.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	for _, opt := range opts {
		opt(s.Server)
	}
	if err := h3.Configure(s.Server, o); err != nil {
		t.Fatal(err)
	}
	s.Handler = outermost(s.Handler)
	return s
}

func (s *server) start() {
	s.t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.startOn(pc)
}

func (s *server) startOn(pc *net.UDPConn) {
	s.t.Helper()
	cert, roots := selfSigned(s.t)
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.tls = &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{http3.NextProtoH3}}
	s.addr = pc.LocalAddr().String()
	go func() { s.served <- s.Serve(pc) }()
	s.t.Cleanup(func() {
		_ = s.Close()
		_ = pc.Close()
		recv(s.t, s.served, "Serve")
	})
}

// visit is the handler of /. With the header Late it leaves the registration to the test.
func (s *server) visit(w http.ResponseWriter, r *http.Request) {
	v := newVisit(s.t, w, r)
	if r.Header.Get("Late") == "" {
		v.register()
	}
	s.visits <- v
	select {
	case <-v.release:
	case <-s.t.Context().Done(): // a test that failed: the server can be closed
	}
}

type overKey struct{}

// outermost calls what a handler has given to atEnd when its watch is over: after
// the callbacks were joined.
func outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		over := func() {}
		defer func() { over() }()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), overKey{}, &over)))
	})
}

func atEnd(r *http.Request, f func()) { *r.Context().Value(overKey{}).(*func()) = f }

func (s *server) next() *visit {
	s.t.Helper()
	return recv(s.t, s.visits, "a request's handler")
}

func recv[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		t.Fatalf("waited %v for %s", bound, what)
		panic("unreachable")
	}
}

func selfSigned(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}
