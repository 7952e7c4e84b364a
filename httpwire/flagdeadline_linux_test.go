package httpwire_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
)

// The flag of a request carries the deadline of the server's base context, for C
// (hangup.h), and none where there is none.
func TestContext_flagDeadline(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Hour} {
		each(t, 0, func(t *testing.T, v variant) {
			base, stop := context.WithCancel(context.Background())
			defer stop()
			if limit > 0 {
				base, stop = context.WithTimeout(base, limit)
				defer stop()
			}
			var vs visits
			s := vs.serve(t, v, func(s *http.Server) { s.BaseContext = func(net.Listener) context.Context { return base } })
			var ns int64
			visit := vs.hold(t, "/", func(_ http.ResponseWriter, r *http.Request) error {
				ns = *(*int64)(unsafe.Add(cancel.FromContext(r.Context()).Flag().Pointer(), 16))
				return nil
			})
			s.request(t, "GET", "/")
			receive(t, visit.ready, "the handler")
			if (ns != 0) != (limit > 0) {
				t.Errorf("deadline %d, with a limit of %v", ns, limit)
			}
			visit.end(t, 0)
		})
	}
}
