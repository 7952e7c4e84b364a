package h3_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// tally counts what happened in all handlers of a stress test.
type tally struct {
	handlers, fired, twice, outlived, degraded atomic.Int64
}

// handle registers, does work, and checks the invariants of its own request.
func (c *tally) handle(r *http.Request, work func()) {
	c.handlers.Add(1)
	var fired atomic.Int32
	var left atomic.Bool // the watch is over
	atEnd(r, func() { left.Store(true) })
	_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
		c.fired.Add(1)
		if fired.Add(1) > 1 {
			c.twice.Add(1)
		}
		runtime.Gosched()
		if left.Load() {
			c.outlived.Add(1)
		}
		if context.Cause(r.Context()) != error(d) {
			c.degraded.Add(1)
		}
	})
	if err != nil {
		panic(err)
	}
	work()
}

func (c *tally) check(t *testing.T, fired int64) {
	t.Helper()
	if got := c.fired.Load(); got != fired {
		t.Errorf("%d callbacks, want %d", got, fired)
	}
	for what, n := range map[string]*atomic.Int64{
		"callbacks that were a second one": &c.twice, "callbacks that outlived the handler": &c.outlived,
		"contexts whose cause was not the Disconnect": &c.degraded,
	} {
		if n.Load() != 0 {
			t.Errorf("%d %s", n.Load(), what)
		}
	}
}

// H3, rules 1 and 2: requests that complete normally, with and without a body, fire nothing.
func TestStress_completions(t *testing.T) {
	var c tally
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c.handle(r, func() {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "done")
		})
	})
	each(t, s, *requests, func(cl *client) error {
		str, err := cl.tryOpen(withBody, "/handle")
		if err != nil {
			return err
		}
		if rand.IntN(2) == 0 {
			_, _ = str.Write([]byte("a body that comes in two parts: "))
			_, _ = str.Write([]byte("this is the second"))
		}
		_ = str.Close()
		return succeeds(str)
	})
	if got := c.handlers.Load(); got != int64(*requests) {
		t.Errorf("%d handlers ran", got)
	}
	c.check(t, 0)
}

// H1, H2: of requests that run until their client leaves, each fires exactly once,
// and is told why; those that run beside them on the same connections fire nothing.
func TestStress_aborts(t *testing.T) {
	var aborted, beside tally
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Abort") == "" {
			beside.handle(r, func() { _, _ = io.WriteString(w, "done") })
			return
		}
		aborted.handle(r, func() {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush() // the client knows that we are here
			select {
			case <-r.Context().Done():
			case <-time.After(bound):
				t.Error("the client's leaving was missed")
			}
		})
	})
	n := max(*requests/10, 1)
	each(t, s, n, func(cl *client) error {
		str, err := cl.tryOpen(withBody, "/handle", "Abort", "1")
		if err != nil {
			return err
		}
		if _, err := str.ReadResponse(); err != nil {
			return err
		}
		leaveAtRandom(str)
		if str, err = cl.tryOpen(http.MethodGet, "/handle"); err != nil {
			return err
		}
		_ = str.Close()
		return succeeds(str)
	})
	_ = s.Close() // waits for the handlers
	aborted.check(t, int64(n))
	beside.check(t, 0)
}

func succeeds(str *http3.RequestStream) error {
	code, err := response(str)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("status %d", code)
	}
	return err
}

func leaveAtRandom(str *http3.RequestStream) {
	code := 0x100 + rand.Uint32N(0x20)
	switch rand.IntN(3) {
	case 0:
		str.CancelRead(quic.StreamErrorCode(code))
	case 1:
		str.CancelWrite(quic.StreamErrorCode(code))
	case 2:
		str.CancelWrite(quic.StreamErrorCode(code))
		str.CancelRead(quic.StreamErrorCode(code))
	}
}

// each runs do n times, on a few connections, by several goroutines each.
func each(t *testing.T, s *server, n int, do func(*client) error) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		c := dial(t, s, nil)
		for range 4 {
			wg.Go(func() {
				for next.Add(1) <= int64(n) {
					if err := do(c); err != nil {
						t.Errorf("client: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
}
