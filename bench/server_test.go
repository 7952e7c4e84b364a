//go:build cgo

package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
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

// A server serves one handler over every protocol, on loopback.
type server struct {
	clear, tls, quic string // addresses
	roots            *x509.CertPool
}

func newServer(b *testing.B, configured bool, h http.Handler) *server {
	cert, roots := certificate(b)
	s := &server{roots: roots}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	protos := new(http.Protocols)
	protos.SetHTTP1(true)
	protos.SetHTTP2(true)
	protos.SetUnencryptedHTTP2(true)
	srv := &http.Server{Handler: h, TLSConfig: config, Protocols: protos}
	srv3 := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(config.Clone())}
	wrap := func(l net.Listener) net.Listener { return l }
	if configured {
		must(b, httpwire.Configure(srv, nil))
		must(b, h3.Configure(srv3, nil))
		wrap = httpwire.Listener
	}
	s.clear = serve(b, func(l net.Listener) error { return srv.Serve(wrap(l)) })
	s.tls = serve(b, func(l net.Listener) error { return srv.ServeTLS(wrap(l), "", "") })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(b, err)
	s.quic = udp.LocalAddr().String()
	done := make(chan struct{})
	go func() { defer close(done); srv3.Serve(udp) }()
	b.Cleanup(func() {
		srv.Close()
		srv3.Close()
		<-done
		udp.Close()
	})
	return s
}

func serve(b *testing.B, f func(net.Listener) error) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go f(l)
	return l.Addr().String()
}

// A protocol knows how to ask a server, and how to leave.
type protocol struct {
	name string
	// request sends a request and returns how to hang up.
	request func(b *testing.B, s *server) (hangUp func())
	// client returns a function that makes a whole request on a connection that
	// is kept.
	client func(b *testing.B, s *server) func()
}

var protocols = []protocol{
	{"HTTP1", rawRequest, func(b *testing.B, s *server) func() {
		return whole(b, new(http.Transport), "http://"+s.clear)
	}},
	{"HTTP2", func(b *testing.B, s *server) func() {
		return cancelled(b, transport2(b, s), "https://"+s.tls)
	}, func(b *testing.B, s *server) func() {
		return whole(b, transport2(b, s), "https://"+s.tls)
	}},
	{"HTTP3", func(b *testing.B, s *server) func() {
		return cancelled(b, transport3(b, s), "https://"+s.quic)
	}, func(b *testing.B, s *server) func() {
		return whole(b, transport3(b, s), "https://"+s.quic)
	}},
}

func rawRequest(b *testing.B, s *server) func() {
	c, err := net.Dial("tcp", s.clear)
	must(b, err)
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	must(b, err)
	return func() { c.Close() }
}

// A fresh transport for each request costs a handshake, before the measuring
// begins, and spares the next one what the last one left.
func transport2(b *testing.B, s *server) http.RoundTripper {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP2(true)
	b.Cleanup(t.CloseIdleConnections)
	return t
}

func transport3(b *testing.B, s *server) http.RoundTripper {
	t := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}}
	b.Cleanup(func() { t.Close() })
	return t
}

// cancelled sends a request that is ended by cancelling its context: RST_STREAM,
// or STOP_SENDING and RESET_STREAM.
func cancelled(b *testing.B, t http.RoundTripper, url string) func() {
	ctx, stop := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	must(b, err)
	go t.RoundTrip(req)
	return stop
}

func whole(b *testing.B, t http.RoundTripper, url string) func() {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	must(b, err)
	if t, ok := t.(*http.Transport); ok {
		b.Cleanup(t.CloseIdleConnections)
	}
	return func() {
		res, err := t.RoundTrip(req)
		must(b, err)
		res.Body.Close()
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// certificate returns that of all servers.
func certificate(b *testing.B) (tls.Certificate, *x509.CertPool) {
	once.Do(func() { theCert, theRoots = newCertificate(b) })
	return theCert, theRoots
}

var (
	once     sync.Once
	theCert  tls.Certificate
	theRoots *x509.CertPool
)

func newCertificate(b *testing.B) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b, err)
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), NotBefore: time.Now().Add(-time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	must(b, err)
	leaf, err := x509.ParseCertificate(der)
	must(b, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
