package h3_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go/http3"
)

var latencies = flag.Int("hangup.latencies", 0, "measure the time from RESET_STREAM to the callback so often, and print its distribution")

// busy keeps a processor busy until t ends.
func busy(t *testing.T) {
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
		}
	}()
	t.Cleanup(func() { stop.Store(true); <-done })
}

// H2: the cause never degrades to plain context.Canceled when the stream or the
// connection knew better, looked at in the moment in which Done is closed, and beside
// other work: http3's own context often has the plain one.
func TestConfigure_causeIsNeverPlain(t *testing.T) {
	const rounds = 100
	type look struct{ first, err error }
	looks := make(chan look, 16)
	entered := make(chan struct{}, 16)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		if r.Method == http.MethodGet { // polls, and so wins races
			for r.Context().Err() == nil {
				runtime.Gosched()
			}
		} else {
			<-r.Context().Done()
		}
		looks <- look{context.Cause(r.Context()), r.Context().Err()}
	})
	busy(t)
	for _, tt := range []struct {
		name  string
		leave func(*client, *http3.RequestStream)
		kind  httpwire.Kind
		code  uint64
	}{
		{"STOP_SENDING", func(_ *client, str *http3.RequestStream) { str.CancelRead(0x31) }, httpwire.StreamReset, 0x31},
		{"CONNECTION_CLOSE", func(c *client, _ *http3.RequestStream) { _ = c.quic.CloseWithError(0x100, "") }, httpwire.Closed, 0x100},
		{"CONNECTION_CLOSE with an error", func(c *client, _ *http3.RequestStream) { _ = c.quic.CloseWithError(0x102, "") }, httpwire.Reset, 0x102},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, s, nil)
			for i := range rounds {
				if tt.kind != httpwire.StreamReset {
					c = dial(t, s, nil)
				}
				str := c.open([]string{http.MethodGet, withBody}[i%2], "/handle")
				recv(t, entered, "the handler")
				tt.leave(c, str)
				l := recv(t, looks, "the context")
				d, ok := errors.AsType[*httpwire.Disconnect](l.first)
				if !ok || d.Kind != tt.kind || d.Code != tt.code || !d.HasCode || l.err != context.Canceled {
					t.Fatalf("round %d: cause %v, Err %v, want %v with %#x", i, l.first, l.err, tt.kind, tt.code)
				}
			}
		})
	}
}

// H1: RESET_STREAM alone is told before anything else ends the request, body read or
// not: the order of events, not the time, is what is asserted.
func TestConfigure_resetStreamAlone(t *testing.T) {
	n := max(*latencies, 50)
	for _, reading := range []bool{false, true} {
		times := make([]time.Duration, 0, n)
		s := serve(t, nil)
		c := dial(t, s, nil)
		for range n {
			str := c.open(withBody, "/")
			if _, err := str.Write([]byte("some")); err != nil {
				t.Fatal(err)
			}
			v := s.next()
			ended := make(chan error, 1)
			if reading {
				go func() { _, err := io.Copy(io.Discard, v.r.Body); ended <- err }()
			}
			began := time.Now()
			str.CancelWrite(0x44)
			d := recv(t, v.fired, "the callback")
			times = append(times, time.Since(began))
			want(t, d, httpwire.BodyAborted, 0x44)
			select {
			case <-str.Context().Done(): // the server has not ended its side
			default:
				if cause := context.Cause(v.r.Context()); cause != error(d) {
					t.Errorf("cause = %v, want %v", cause, d)
				}
			}
			if reading {
				if err := recv(t, ended, "Body.Read"); err == nil {
					t.Error("the body's end was read")
				}
			}
			v.finish()
			v.untouched()
		}
		if *latencies > 0 {
			slices.Sort(times)
			t.Logf("reading %v: of %d: p50 %v, p90 %v, p99 %v, max %v", reading, n, times[n/2], times[n*9/10], times[n*99/100], times[n-1])
		}
	}
}
