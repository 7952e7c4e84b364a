package h3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/hangup-go/hangup/httpwire/h3"
)

// H7: a request's trailers reach the handler, also through our copy of the request, which it
// gets where a handler is around ours.
func TestConfigure_trailers(t *testing.T) {
	t.Run("outermost", func(t *testing.T) { trailers(t, func(h http.Handler) http.Handler { return h }) })
	t.Run("around", func(t *testing.T) {
		trailers(t, func(h http.Handler) http.Handler { return http.HandlerFunc(h.ServeHTTP) })
	})
}

func trailers(t *testing.T, around func(http.Handler) http.Handler) {
	got := make(chan http.Header, 1)
	// Without the tests' own middleware, which copies the request as well.
	s := &server{Server: &http3.Server{}, t: t, served: make(chan error, 1)}
	s.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Trailer
	})
	if err := h3.Configure(s.Server, nil); err != nil {
		t.Fatal(err)
	}
	s.Handler = around(s.Handler)
	s.start()
	r, err := http.NewRequest("POST", "https://"+s.addr+"/handle", io.MultiReader(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Sum": {"1"}}
	if err := newTransport(t, s).do(r); err != nil {
		t.Fatal(err)
	}
	if sum := recv(t, got, "the handler").Get("X-Sum"); sum != "1" {
		t.Errorf("the trailer is %q", sum)
	}
}
