package httpwire_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
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

// What Emit costs, against Write and Flush.
func BenchmarkEmit(b *testing.B) {
	for _, v := range variants {
		if !v.tls && !v.xnet && !v.bare {
			b.Run(v.name, func(b *testing.B) { streamtest.Bench(b, v.streams()) })
		}
	}
}

// H5: Emit of bytes and of an event allocates nothing.
func TestEmit_allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s, err := httpwire.NewEventStream(discard{}, httptest.NewRequest("GET", "/", nil), nil)
	must(t, err)
	e := httpwire.Event{Data: "two\nlines", Type: "type", ID: "id", Comment: "c", Retry: 1}
	if n := testing.AllocsPerRun(1000, func() { _ = s.Emit(e) }); n != 0 {
		t.Errorf("an event: %v allocations", n)
	}
	c, err := httpwire.NewChunks(discard{}, httptest.NewRequest("GET", "/", nil), nil)
	must(t, err)
	b := []byte("token")
	if n := testing.AllocsPerRun(1000, func() { _ = c.Emit(b) }); n != 0 {
		t.Errorf("bytes: %v allocations", n)
	}
}

// discard is a ResponseWriter that does nothing.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) WriteHeader(int)             {}
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) FlushError() error           { return nil }
