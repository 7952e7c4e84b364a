package httpwire_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// H3: on HTTP/2 a stream that the server has reset, for a deadline of ours, is
// over: its client may leave, as a reaction, without a Disconnect. A request
// beside it on the same connection is told. It is the same for a handler that attaches only then.
func TestOnDisconnect_leavesAfterOurReset(t *testing.T) {
	eachAttach(t, func(t *testing.T, v variant, late bool) {
		var vs visits
		s := v.configure(t, &vs)
		h, reset := vs.outer(s.Handler), make(chan struct{})
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Millisecond)); err != nil {
					t.Error(err)
				}
				if late {
					receive(t, reset, "the reset")
				}
			}
			h.ServeHTTP(w, r)
		})
		s.listen(t)
		visit, beside := vs.hold(t, "/", nil), vs.hold(t, "/beside", nil)
		c := s.h2(t)
		c.get("/beside")
		receive(t, beside.ready, "the handler beside it")
		c.get("/")
		if !late {
			receive(t, visit.ready, "the handler")
		}
		receive(t, c.resetIDs, "the reset of the write deadline")
		if late {
			close(reset)
			receive(t, visit.ready, "the handler")
		}
		must(t, c.c.Close())
		beside.left(t)
		visit.end(t, 0)
	})
}

// eachAttach runs f for a handler that attaches at once, and for one that attaches late.
func eachAttach(t *testing.T, f func(t *testing.T, v variant, late bool)) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		t.Run("at once", func(t *testing.T) { f(t, v, false) })
		t.Run("late", func(t *testing.T) { f(t, v, true) })
	})
}

// H3: after a GOAWAY with an error the server answers nobody on the connection any
// more: the client that closes it then has not left. Nor has it for a handler that attaches
// only then.
func TestOnDisconnect_closesAfterOurGoAway(t *testing.T) {
	eachAttach(t, func(t *testing.T, v variant, late bool) {
		var vs visits
		s := v.configure(t, &vs)
		h, in, closed := vs.outer(s.Handler), make(chan struct{}), make(chan struct{})
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(in)
			if late {
				receive(t, closed, "the connection's end")
			}
			h.ServeHTTP(w, r)
		})
		s.listen(t)
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		c.get("/")
		receive(t, in, "the outer handler")
		if !late {
			receive(t, visit.ready, "the handler")
		}
		must(t, c.fr.WriteRSTStream(99, 8)) // an idle stream: a protocol error
		c.flush()
		receive(t, c.goAway, "GOAWAY")
		must(t, c.c.Close())
		s.drained(t)
		close(closed)
		receive(t, visit.ready, "the handler")
		receive(t, visit.ctx.Done(), "the context to be done")
		visit.end(t, 0)
		if cause := context.Cause(visit.ctx); !errors.Is(cause, httpwire.ErrServerClosed) {
			t.Errorf("cause = %v, want ErrServerClosed", cause)
		}
	})
}
