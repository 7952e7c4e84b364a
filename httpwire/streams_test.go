package httpwire_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/streamtest"
)

// H5: the streams on HTTP/1.1 and HTTP/2, on every way to serve.
func TestStreams(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) { streamtest.Run(t, v.streams()) })
}

// streams is v for package streamtest.
func (v variant) streams() streamtest.Protocol {
	return streamtest.Protocol{Client: v.client, Serve: func(t testing.TB, h http.Handler, outer func(http.Handler) http.Handler) string {
		s := v.configure(t, h)
		s.Handler = outer(s.Handler)
		s.listen(t)
		if v.tls {
			return "https://" + s.addr
		}
		return "http://" + s.addr
	}}
}

func (v variant) client(t testing.TB) *http.Client {
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: false, Protocols: new(http.Protocols),
	}
	tr.Protocols.SetHTTP1(v.proto == httpwire.HTTP1)
	tr.Protocols.SetHTTP2(v.proto == httpwire.HTTP2)
	tr.Protocols.SetUnencryptedHTTP2(v.proto == httpwire.HTTP2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
