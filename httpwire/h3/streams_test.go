package h3_test

import (
	"net/http"
	"testing"

	"github.com/hangup-go/hangup/httpwire/internal/streamtest"
	"github.com/quic-go/quic-go/http3"
)

// H5: the streams on HTTP/3.
func TestStreams(t *testing.T) {
	var s *server
	streamtest.Run(t, streamtest.Protocol{
		Serve: func(t testing.TB, h http.Handler, outer func(http.Handler) http.Handler) string {
			s = configure(t, h.ServeHTTP, nil)
			s.Handler = outer(s.Handler)
			s.start()
			return "https://" + s.addr + "/handle"
		},
		Client: func(t testing.TB) *http.Client {
			tr := &http3.Transport{TLSClientConfig: s.tls}
			t.Cleanup(func() { _ = tr.Close() })
			return &http.Client{Transport: tr}
		},
	})
}
