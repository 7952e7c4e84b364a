package httpwire_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// H3: on HTTP/2 a stream that the server has reset, for a deadline of ours, is
// over: its client may leave, as a reaction, without a Disconnect. A request
// beside it on the same connection is told.
func TestOnDisconnect_leavesAfterOurReset(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, _ *http.Request) error {
			return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Millisecond))
		})
		beside := vs.hold(t, "/beside", nil)
		c := s.h2(t)
		c.get("/beside")
		receive(t, beside.ready, "the handler beside it")
		c.get("/")
		receive(t, visit.ready, "the handler")
		receive(t, c.resetIDs, "the reset of the write deadline")
		must(t, c.c.Close())
		d := receive(t, beside.fired, "the callback of the request beside it")
		beside.fired <- d
		beside.gone(t, *d)
		visit.end(t, 0)
	})
}
