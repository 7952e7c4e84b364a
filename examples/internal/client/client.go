// Package client makes HTTP clients that speak exactly one version of HTTP, for
// the demo and the tests.
package client

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/quic-go/quic-go/http3"

	"github.com/hangup-go/hangup/examples/internal/serve"
)

// A Protocol is one way to reach a server.
type Protocol struct {
	Name   string
	Major  int // of the HTTP version
	secure bool
	set    func(*http.Protocols, bool) // nil: over QUIC
}

// The protocols that a server of package serve speaks.
var (
	HTTP1    = Protocol{"HTTP/1.1", 1, false, (*http.Protocols).SetHTTP1}
	HTTP1TLS = Protocol{"HTTP/1.1 over TLS", 1, true, (*http.Protocols).SetHTTP1}
	H2C      = Protocol{"HTTP/2 in cleartext", 2, false, (*http.Protocols).SetUnencryptedHTTP2}
	HTTP2    = Protocol{"HTTP/2", 2, true, (*http.Protocols).SetHTTP2}
	HTTP3    = Protocol{"HTTP/3", 3, true, nil}
)

// URL is where p reaches the server behind s.
func (p Protocol) URL(s *serve.Sockets) string {
	if p.secure {
		return "https://" + s.Secure.Addr().String()
	}
	return "http://" + s.Plain.Addr().String()
}

// New returns a client that trusts certificates in trust. It keeps up to idle
// connections; stop closes them.
func (p Protocol) New(trust *x509.CertPool, idle int) (c *http.Client, stop func()) {
	config := &tls.Config{RootCAs: trust}
	if p.set == nil {
		tr := &http3.Transport{TLSClientConfig: config}
		return &http.Client{Transport: tr}, func() { _ = tr.Close() }
	}
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: config, MaxIdleConnsPerHost: idle}
	p.set(tr.Protocols, true)
	return &http.Client{Transport: tr}, tr.CloseIdleConnections
}
