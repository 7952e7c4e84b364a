package httpwire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// bound is how long a test waits for anything.
const bound = 20 * time.Second

// A variant is one way to serve.
type variant struct {
	name  string
	proto httpwire.Protocol
	tls   bool
	xnet  bool // golang.org/x/net/http2 instead of net/http's own
	bare  bool // from a listener that is not wrapped
	opts  *httpwire.Options
}

var variants = []variant{
	{name: "h1", proto: httpwire.HTTP1},
	{name: "h1-tls", proto: httpwire.HTTP1, tls: true},
	{name: "h1-bare", proto: httpwire.HTTP1, bare: true},
	{name: "h1-tls-bare", proto: httpwire.HTTP1, tls: true, bare: true},
	{name: "h2-tls", proto: httpwire.HTTP2, tls: true},
	{name: "h2-h2c", proto: httpwire.HTTP2},
	{name: "h2-xnet-tls", proto: httpwire.HTTP2, tls: true, xnet: true},
	{name: "h2-xnet-h2c", proto: httpwire.HTTP2, xnet: true},
	{name: "h2-tls-bare", proto: httpwire.HTTP2, tls: true, bare: true},
}

func each(t *testing.T, proto httpwire.Protocol, f func(t *testing.T, v variant)) {
	for _, v := range variants {
		if proto == 0 || v.proto == proto {
			t.Run(v.name, func(t *testing.T) { f(t, v) })
		}
	}
}

// eachAtOnce is each for tests that have to wait for time to pass.
func eachAtOnce(t *testing.T, proto httpwire.Protocol, f func(t *testing.T, v variant)) {
	each(t, proto, func(t *testing.T, v variant) {
		t.Parallel()
		f(t, v)
	})
}

// A server is a configured server that is being served.
type server struct {
	variant
	*http.Server
	addr  string
	from  func() (net.Conn, error) // connects to addr; nil: as usual
	conns sync.WaitGroup           // open connections, by ConnState
	open  atomic.Int32             // the same
	socks sync.Map                 // remote address -> *net.TCPConn, as accepted
}

// accepted returns the server's end of the connection that comes from a.
func (s *server) accepted(a net.Addr) *net.TCPConn {
	c, _ := s.socks.Load(a.String())
	return c.(*net.TCPConn)
}

// note keeps what accepted returns.
func (s *server) note(ctx context.Context, c net.Conn) context.Context {
	s.socks.Store(c.RemoteAddr().String(), httpwire.Lowest(c))
	return ctx
}

// start serves h; set may change the server before it is configured. The server
// is closed when t ends, and all its handlers have to have returned by then.
func (v variant) start(t testing.TB, h http.Handler, set ...func(*http.Server)) *server {
	t.Helper()
	s := v.configure(t, h, set...)
	s.listen(t)
	return s
}

func (v variant) configure(t testing.TB, h http.Handler, set ...func(*http.Server)) *server {
	t.Helper()
	s := &server{variant: v, Server: &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}}
	protos := new(http.Protocols)
	protos.SetHTTP1(true)
	protos.SetHTTP2(true)
	protos.SetUnencryptedHTTP2(true)
	s.Protocols = protos
	if v.tls {
		s.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{certificate()},
			// A ticket that the client has not read turns its close into a reset.
			SessionTicketsDisabled: true,
		}
	}
	for _, f := range set {
		f(s.Server)
	}
	if v.xnet {
		//lint:ignore SA1019 deprecated, and what many servers call
		must(t, http2.ConfigureServer(s.Server, nil))
	}
	if s.ConnContext == nil {
		s.ConnContext = s.note
	}
	inner := s.ConnState
	s.ConnState = func(c net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			s.conns.Add(1)
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
			s.conns.Done()
		}
		if inner != nil {
			inner(c, st)
		}
	}
	must(t, httpwire.Configure(s.Server, v.opts))
	return s
}

func (s *server) listen(t testing.TB) {
	t.Helper()
	l := listen(t)
	s.addr = l.Addr().String()
	if !s.bare {
		l = httpwire.Listener(l)
	}
	s.serve(t, l)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

func (s *server) serve(t testing.TB, l net.Listener) {
	t.Helper()
	served := make(chan error, 1)
	go func() {
		if s.tls {
			served <- s.ServeTLS(l, "", "")
		} else {
			served <- s.Serve(l)
		}
	}()
	t.Cleanup(func() {
		_ = s.Close()
		receive(t, served, "Serve to return")
		s.drained(t)
	})
}

// drained waits until no connection is left.
func (s *server) drained(t testing.TB) {
	t.Helper()
	done := make(chan struct{})
	go func() { s.conns.Wait(); close(done) }()
	receive(t, done, "the server's connections to end")
}

// dial opens a connection, with TLS and the ALPN protocol of the variant.
func (s *server) dial(t testing.TB) (c net.Conn, below *net.TCPConn) {
	t.Helper()
	c, below, err := s.connect()
	must(t, err)
	t.Cleanup(func() { _ = below.Close() })
	return c, below
}

func (s *server) connect() (c net.Conn, below *net.TCPConn, err error) {
	connect := s.from
	if connect == nil {
		d := net.Dialer{Timeout: bound}
		connect = func() (net.Conn, error) { return d.Dial("tcp", s.addr) }
	}
	raw, err := connect()
	if err != nil {
		return nil, nil, err
	}
	below = raw.(*net.TCPConn)
	_ = raw.SetDeadline(time.Now().Add(2 * bound))
	if !s.tls {
		return raw, below, nil
	}
	alpn := "http/1.1"
	if s.proto == httpwire.HTTP2 {
		alpn = "h2"
	}
	tc := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}})
	ctx, stop := context.WithTimeout(context.Background(), bound)
	defer stop()
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, nil, err
	}
	return tc, below, nil
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive waits for an event, with a bound.
func receive[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case v = <-c:
	case <-timer.C:
		t.Fatalf("waited %v for %s", bound, what)
	}
	return v
}
