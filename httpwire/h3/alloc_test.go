//go:build !race

// The race detector allocates.

package h3_test

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/hangup-go/hangup/httpwire/internal/memtest"
	"github.com/quic-go/quic-go/http3"
)

// A request whose handler never looks costs at most two allocations more than with
// plain http3, also where a handler is around ours. QUIC's own vary by a packet more or less: so the least of some runs counts.
func TestHandler_allocations(t *testing.T) {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	around := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
	}
	asker := func(prepare func(*http3.Server)) func() {
		s := &server{Server: &http3.Server{Handler: nothing, Logger: slog.New(slog.DiscardHandler)}, t: t, served: make(chan error, 1)}
		prepare(s.Server)
		s.start()
		c := newTransport(t, s)
		r, err := http.NewRequest(http.MethodGet, "https://"+s.addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := c.do(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	configure := func(s *http3.Server) {
		if err := h3.Configure(s, nil); err != nil {
			t.Fatal(err)
		}
	}
	rows := []struct {
		name string
		once func()
		n    float64
	}{
		{"plain", asker(func(*http3.Server) {}), 0},
		{"in place", asker(configure), 0},
		{"around", asker(func(s *http3.Server) { configure(s); s.Handler = around(s.Handler) }), 0},
	}
	for run := range 10 {
		for i := range rows {
			if n, _ := memtest.PerRun(200, rows[i].once); run == 0 || n < rows[i].n {
				rows[i].n = n
			}
		}
	}
	for _, row := range rows[1:] {
		t.Logf("%s: %.2f more than plain's %.2f", row.name, row.n-rows[0].n, rows[0].n)
		if row.n > rows[0].n+2.5 {
			t.Errorf("%s: %.2f allocations per request, plain %.2f: want at most 2 more", row.name, row.n, rows[0].n)
		}
	}
}
