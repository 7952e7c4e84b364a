package frameworks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// bound is how long a test waits for anything.
const bound = 20 * time.Second

// A way is one way to serve.
type way struct {
	name     string
	proto    httpwire.Protocol
	tls      bool
	httptest bool // by httptest.Server
}

var ways = []way{
	{name: "h1", proto: httpwire.HTTP1},
	{name: "h1-tls", proto: httpwire.HTTP1, tls: true},
	{name: "h2", proto: httpwire.HTTP2, tls: true},
	{name: "h2c", proto: httpwire.HTTP2},
	{name: "httptest-h1", proto: httpwire.HTTP1, httptest: true},
	{name: "httptest-h1-tls", proto: httpwire.HTTP1, tls: true, httptest: true},
	{name: "httptest-h2", proto: httpwire.HTTP2, tls: true, httptest: true},
}

// A server is being served.
type server struct {
	way
	url   string
	ended chan struct{} // one for each handler that has returned
}

// start serves h, configured or as net/http has it, until t ends.
func (v way) start(t testing.TB, h http.Handler, configured bool) *server {
	t.Helper()
	if v.httptest {
		return v.startHTTPTest(t, h, configured)
	}
	s := &server{way: v, ended: make(chan struct{}, 1024)}
	srv := &http.Server{Handler: h, Protocols: v.protocols()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.url = "http://" + l.Addr().String()
	if v.tls {
		s.url = "https://" + l.Addr().String()
		srv.TLSConfig = &tls.Config{
			Certificates:           []tls.Certificate{certificate()},
			SessionTicketsDisabled: true, // an unread ticket turns a client's close into a reset
		}
	}
	l = s.finish(t, srv, l, configured)
	served := make(chan error, 1)
	go func() {
		if v.tls {
			served <- srv.ServeTLS(l, "", "")
		} else {
			served <- srv.Serve(l)
		}
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		receive(t, served, "Serve to return")
	})
	return s
}

// startHTTPTest does what a test of a user's does: configure, wrap the listener,
// start.
func (v way) startHTTPTest(t testing.TB, h http.Handler, configured bool) *server {
	t.Helper()
	s := &server{way: v, ended: make(chan struct{}, 1024)}
	ts := httptest.NewUnstartedServer(h)
	ts.EnableHTTP2 = v.proto == httpwire.HTTP2
	ts.Listener = s.finish(t, ts.Config, ts.Listener, configured)
	if v.tls {
		ts.TLS = &tls.Config{SessionTicketsDisabled: true}
		ts.StartTLS()
	} else {
		ts.Start()
	}
	s.url = ts.URL
	t.Cleanup(func() {
		ts.CloseClientConnections()
		ts.Close()
	})
	return s
}

// finish prepares srv as its last step before serving.
func (s *server) finish(t testing.TB, srv *http.Server, l net.Listener, configured bool) net.Listener {
	t.Helper()
	srv.ErrorLog = log.New(io.Discard, "", 0)
	if configured {
		must(t, httpwire.Configure(srv, nil))
		l = httpwire.Listener(l)
	}
	h := srv.Handler
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.ended <- struct{}{} }()
		h.ServeHTTP(w, r)
	})
	return l
}

func (v way) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v.proto == httpwire.HTTP1)
	p.SetHTTP2(v.proto == httpwire.HTTP2 && v.tls)
	p.SetUnencryptedHTTP2(v.proto == httpwire.HTTP2 && !v.tls)
	return p
}

// client returns a client with connections of its own, which adds header, a name
// and a value, to each request.
func (s *server) client(t testing.TB, header ...string) *http.Client {
	tr := &http.Transport{
		Protocols:       s.protocols(),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if len(header) == 2 {
			r = r.Clone(r.Context())
			r.Header.Set(header[0], header[1])
		}
		return tr.RoundTrip(r)
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// get reads a whole answer and wants it to be a 200 that says ok.
func get(ctx context.Context, c *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/work", nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if err == nil && (resp.StatusCode != http.StatusOK || string(body) != "ok\n") {
		err = fmt.Errorf("answer %s: %q", resp.Status, body)
	}
	return err
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
