package h3_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// wholeHeader is a HEADERS frame: GET https://h/, in QPACK's static table.
const wholeHeader = "\x01\x08\x00\x00\xd1\xd7\xc1\x50\x01h"

// raw opens a stream and sends these bytes on it.
func (c *client) raw(sent string) *quic.Stream {
	c.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), bound)
	defer stop()
	str, err := c.quic.OpenStreamSync(ctx)
	if err == nil {
		_, err = str.Write([]byte(sent))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return str
}

// Robustness, H3: frames that no client should send end their own connection, by the
// server's close: its requests are cancelled, and told of no disconnect. Requests of
// another connection go on.
func TestServer_badFrames(t *testing.T) {
	const unexpected = 0x105 // H3_FRAME_UNEXPECTED
	for _, tt := range []struct{ name, sent string }{
		{"DATA before HEADERS", "\x00\x01x"},
		{"SETTINGS on a request's stream", "\x04\x00"},
		{"GOAWAY on a request's stream", "\x07\x01\x00"},
		{"PRIORITY of HTTP/2", "\x02\x00"},
		{"PING of HTTP/2", "\x06\x00"},
		{"WINDOW_UPDATE of HTTP/2", "\x08\x00"},
		{"CONTINUATION of HTTP/2", "\x09\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, nil)
			ctl := newControl(s, dial(t, s, nil))
			c := dial(t, s, nil)
			c.get("/")
			v := s.next()
			c.raw(tt.sent)
			recv(t, c.quic.Context().Done(), "the server's close")
			e, ok := errors.AsType[*quic.ApplicationError](context.Cause(c.quic.Context()))
			if !ok || !e.Remote || e.ErrorCode != unexpected {
				t.Errorf("closed with %v, want %#x", context.Cause(c.quic.Context()), unexpected)
			}
			v.cancelledOtherwise()
			v.finish()
			v.untouched()
			ctl.untouched()
		})
	}
}

// Robustness: what is wrong with one stream alone harms none beside it, on the same
// connection, and reaches no handler.
func TestServer_badStreams(t *testing.T) {
	for _, tt := range []struct {
		name, sent string
		end        func(*quic.Stream)
	}{
		{"half a header, then FIN", "\x01\x08\x00\x00", func(str *quic.Stream) { _ = str.Close() }},
		{"half a header, then RESET_STREAM", "\x01\x08\x00\x00", func(str *quic.Stream) { str.CancelWrite(0x10c) }},
		{"half a header, then both", "\x01\x08\x00\x00", func(str *quic.Stream) { str.CancelWrite(0x10c); str.CancelRead(0x10c) }},
		{"nothing, then FIN", "", func(str *quic.Stream) { _ = str.Close() }},
		{"a header without a method", "\x01\x04\x00\x00\xd7\xc1", func(str *quic.Stream) { _ = str.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, nil)
			c := dial(t, s, nil)
			ctl := newControl(s, c)
			tt.end(c.raw(tt.sent))
			newControl(s, c).untouched() // the next visit is its own, not one of the bad stream's
			ctl.untouched()
		})
	}
}

// Robustness: frames of unknown types are skipped.
func TestServer_unknownFrames(t *testing.T) {
	s := serve(t, nil)
	c := dial(t, s, nil)
	str := c.raw("\x21\x03abc" + wholeHeader + "\x40\x40\x01x")
	_ = str.Close()
	v := s.next()
	newControl(s, c).untouched()
	if err := v.r.Context().Err(); err != nil {
		t.Errorf("context: %v", err)
	}
	v.finish()
	v.untouched()
}

// Robustness: a flood of streams opened and reset at once: each that reaches a handler
// is told exactly once, and neither a request beside them nor another connection's is harmed.
func TestStress_resetFlood(t *testing.T) {
	const streams, batch = 5000, 50
	var entered, left, told, wrong atomic.Int64
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		entered.Add(1)
		atEnd(r, func() { left.Add(1) })
		_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
			told.Add(1)
			if d.Code != 0x10c || d.Kind != httpwire.StreamReset && d.Kind != httpwire.BodyAborted {
				wrong.Add(1)
			}
		})
		select {
		case <-r.Context().Done():
		case <-time.After(bound):
		}
		if !errors.Is(context.Cause(r.Context()), httpwire.ErrDisconnected) {
			wrong.Add(1)
		}
	})
	c := dial(t, s, nil)
	beside, other := newControl(s, c), newControl(s, dial(t, s, nil))
	for range streams / batch {
		var all []*http3.RequestStream
		before := entered.Load()
		for range batch {
			all = append(all, c.open(withBody, "/handle"))
		}
		for end := time.Now().Add(bound); entered.Load() == before && time.Now().Before(end); {
			runtime.Gosched() // some are in their handlers, others on their way
		}
		for i, str := range all {
			if i%2 == 0 {
				str.CancelWrite(0x10c)
			}
			str.CancelRead(0x10c)
			if i%2 == 1 {
				str.CancelWrite(0x10c)
			}
		}
	}
	newControl(s, c).untouched() // comes behind them
	for end := time.Now().Add(bound); entered.Load() != left.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	// More may enter: each is told before it leaves.
	if n, m := left.Load(), told.Load(); n == 0 || m < n || m > entered.Load() || wrong.Load() != 0 {
		t.Errorf("%d entered, %d told, %d left before, %d wrongly", entered.Load(), m, n, wrong.Load())
	}
	t.Logf("of %d streams %d reached a handler", streams, entered.Load())
	beside.untouched()
	other.untouched()
}
