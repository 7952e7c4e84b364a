package httpwire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// Robustness: what is no request of HTTP/1.1 is refused, with a status, before any
// handler, and harms no neighbour.
func TestServer_badRequests(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for _, x := range exchanges(t, "refused") {
			t.Run(x.name, func(t *testing.T) {
				control := vs.control(t, s)
				vs.expect(pathOf(t), func(http.ResponseWriter, *http.Request) { t.Error("a handler was entered") })
				c, _ := s.dial(t)
				h := x.send(t, c, pathOf(t))
				for _, line := range x.read {
					h.read1(t, line, true)
				}
				if _, err := h.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("after the response: %v, want EOF", err)
				}
				control.untouched(t)
			})
		}
	})
}

// A badFrame is what no HTTP/2 client should send, beside a running request.
type badFrame struct {
	name string
	send func(c *h2client)
	code http2.ErrCode // of the server's GOAWAY
	mute bool          // the server closes the connection without one
}

const idle = 99 // a stream that was never opened

var badFrames = []badFrame{
	{"RST_STREAM of an idle stream", func(c *h2client) { _ = c.fr.WriteRSTStream(idle, 8) }, http2.ErrCodeProtocol, false},
	{"RST_STREAM of stream 0", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameRSTStream, 0, 0, []byte{0, 0, 0, 8}) }, http2.ErrCodeProtocol, false},
	{"RST_STREAM of 5 bytes", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameRSTStream, 0, 1, make([]byte, 5)) }, http2.ErrCodeFrameSize, false},
	{"RST_STREAM of 3 bytes", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameRSTStream, 0, 1, make([]byte, 3)) }, http2.ErrCodeFrameSize, false},
	{"RST_STREAM of none", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameRSTStream, 0, 1, nil) }, http2.ErrCodeFrameSize, false},
	{"RST_STREAM between HEADERS", func(c *h2client) {
		_ = c.fr.WriteRawFrame(http2.FrameHeaders, 0, 3, []byte{0x82})
		_ = c.fr.WriteRSTStream(3, 8)
	}, http2.ErrCodeProtocol, false},
	{"DATA before HEADERS", func(c *h2client) { _ = c.fr.WriteData(idle, true, []byte("x")) }, http2.ErrCodeProtocol, false},
	{"DATA of stream 0", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameData, 0, 0, []byte("x")) }, http2.ErrCodeProtocol, false},
	{"CONTINUATION without HEADERS", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameContinuation, 4, 1, []byte("x")) }, http2.ErrCodeProtocol, false},
	{"HEADERS of an even stream", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameHeaders, 5, 4, []byte{0x82}) }, http2.ErrCodeProtocol, false},
	{"HEADERS of nonsense", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameHeaders, 5, 3, []byte("nonsense")) }, http2.ErrCodeCompression, false},
	{"PUSH_PROMISE", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FramePushPromise, 4, 1, []byte{0, 0, 0, 2, 0x82}) }, http2.ErrCodeProtocol, false},
	{"SETTINGS of 5 bytes", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 5)) }, http2.ErrCodeFrameSize, false},
	{"PING of 7 bytes", func(c *h2client) { _ = c.fr.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 7)) }, http2.ErrCodeFrameSize, false},
	{"a window that overflows", func(c *h2client) { _ = c.fr.WriteWindowUpdate(0, 1<<31-1) }, http2.ErrCodeFlowControl, false},
	{"a frame larger than all allowed", func(c *h2client) { c.out.Write([]byte{255, 255, 255, 0, 0, 0, 0, 0, 1}) }, http2.ErrCodeFrameSize, false},
	{"no frames", func(c *h2client) { fmt.Fprintf(&c.out, "%0999d", 0) }, http2.ErrCodeFrameSize, false},
}

// Robustness, H3: frames that no client should send end their own connection, with
// a GOAWAY that says why. It is the server that closes: the requests on it are
// cancelled, and told of no disconnect. No neighbour is harmed.
func TestServer_badFrames(t *testing.T) {
	eachAtOnce(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		control := vs.control(t, s)
		for i, bad := range badFrames {
			t.Run(bad.name, func(t *testing.T) {
				t.Parallel() // the server waits a second after its GOAWAY
				visit := vs.hold(t, pathOf(t), nil)
				c := s.h2(t)
				c.get(pathOf(t))
				receive(t, visit.ready, "the handler")
				bad.send(c)
				c.flush()
				if !bad.mute {
					if code := receive(t, c.goAway, "GOAWAY"); code != bad.code {
						t.Errorf("GOAWAY with %v, want %v", code, bad.code)
					}
				}
				if i%2 == 0 {
					must(t, c.below.Close()) // as clients do; the others leave it to the server
				}
				receive(t, c.done, "the connection to end")
				receive(t, visit.ctx.Done(), "the context to be done")
				visit.end(t, 0)
			})
		}
		t.Cleanup(func() { control.untouched(t) })
	})
}

// Robustness, H3: a body longer than declared: the stream ends by the server's own
// reset, and its neighbour on the same connection goes on.
func TestServer_http2BodyTooLong(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit, beside := vs.hold(t, "/", nil), vs.hold(t, "/beside", nil)
		c := s.h2(t)
		c.get("/beside")
		id := c.headers("POST", "/", false, "content-length", "3")
		c.flush()
		receive(t, visit.ready, "the handler")
		receive(t, beside.ready, "the handler beside it")
		must(t, c.fr.WriteData(id, false, []byte("too long")))
		c.flush()
		if code := receive(t, c.resets, "RST_STREAM"); code != http2.ErrCodeProtocol {
			t.Errorf("reset with %v", code)
		}
		receive(t, visit.ctx.Done(), "the context to be done")
		visit.end(t, 0)
		beside.untouched(t)
	})
}

// Robustness: a connection that is no HTTP/2, or only a part of a preface or of a
// header, is closed, and harms no neighbour.
func TestServer_http2BadBeginnings(t *testing.T) {
	head := []byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	half := append(bytes.Clone(head), 0, 0, 9, 1, 4, 0, 0, 0, 1, 0x82) // 1 byte of 9 of HEADERS
	whole := append(bytes.Clone(head), 0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82)
	for name, sent := range map[string][]byte{
		"garbage preface":          []byte("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + "garbage that is long enough to be one"),
		"half a preface":           []byte(http2.ClientPreface[:10]),
		"no SETTINGS":              []byte(http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"),
		"half a HEADERS frame":     half,
		"HEADERS without an end":   whole,
		"half of a frame's header": append(bytes.Clone(head), 0, 0, 4, 3, 0),
	} {
		t.Run(name, func(t *testing.T) {
			each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
				var vs visits
				s := vs.serve(t, v)
				control := vs.control(t, s)
				c, below := s.dial(t)
				_, err := c.Write(sent)
				must(t, err)
				_ = below.CloseWrite()        // the server may have closed it by now
				_, _ = io.Copy(io.Discard, c) // what it says, until it closes
				control.untouched(t)
			})
		})
	}
}

// Robustness: a flood of streams opened and reset at once. Each that reached a
// handler is told exactly once, what is kept for those that did not is bounded, and
// a neighbour's connection is not touched.
func TestOnDisconnect_resetFlood(t *testing.T) {
	const streams, batch = 5000, 100
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		f := flood{}
		s := v.configure(t, &f)
		inner := s.Handler
		s.Handler = f.outer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer f.left.Add(1)
			inner.ServeHTTP(w, r)
		}))
		s.listen(t)
		control := f.visits.control(t, s)
		c := s.h2(t)
		for range streams / batch {
			for range batch {
				must(t, c.fr.WriteRSTStream(c.headers("GET", "/flood", true), http2.ErrCodeCancel))
			}
			c.write.Lock()
			_, err := c.c.Write(c.out.Bytes())
			c.write.Unlock()
			if c.out.Reset(); err != nil {
				break // the server has had enough of it
			}
		}
		waitFor(t, "a handler", func() bool { return f.entered.Load() > 0 })
		_ = c.below.Close()
		waitFor(t, "the connection to end", func() bool { return s.open.Load() == 1 }) // the neighbour's
		waitFor(t, "all handlers to return", func() bool { return f.entered.Load() == f.left.Load() })
		// More may enter: each has counted before it left. One can have been ended by the server's
		// GOAWAY: that whose reset the server had not read with it. And so can those whose resets had to
		// go: of them it is only known that there may have been one.
		n, ended := f.left.Load(), f.ended.Load()
		if told := f.told.Load() + ended; told < n || told > f.entered.Load() || ended > 1 && !f.dropped.Load() || f.wrong.Load() != 0 {
			t.Errorf("%d left, %d told or ended by us, %d entered; %d ended by us, %d told wrongly", n, told, f.entered.Load(), ended, f.wrong.Load())
		}
		if f.uncoded.Load() > 0 && !f.dropped.Load() {
			t.Errorf("%d were told without their code, though none had to go", f.uncoded.Load())
		}
		if n := f.kept.Load(); n > 4096 {
			t.Errorf("%d resets were kept", n)
		}
		t.Logf("of %d streams %d reached a handler; at most %d resets kept, %d told without their code", streams, f.entered.Load(), f.kept.Load(), f.uncoded.Load())
		control.untouched(t)
	})
}

// C1: a stream whose reset has come is gone, also if the server gives up the connection while its handler
// attaches.
func TestOnDisconnect_resetBeforeGoAway(t *testing.T) {
	if n := httpwire.RaceAttachFailed(20_000); n != 0 {
		t.Errorf("%d requests were not told of their reset", n)
	}
}

// A flood counts what its handlers met with.
type flood struct {
	visits
	entered, left, told, uncoded, ended, wrong, kept atomic.Int64

	dropped atomic.Bool // some resets had to go
}

func (f *flood) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/flood" {
		f.visits.ServeHTTP(w, r)
		return
	}
	f.entered.Add(1)
	_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
		f.told.Add(1)
		f.kept.Store(max(f.kept.Load(), int64(httpwire.EarlyKept(r))))
		if !d.HasCode && d.Kind == httpwire.StreamReset {
			f.uncoded.Add(1) // handlers that attached so late that it had to go
		}
		if d.HasCode && d.Code != uint64(http2.ErrCodeCancel) || d.Proto != httpwire.HTTP2 {
			f.wrong.Add(1)
		}
	})
	<-r.Context().Done()
	if httpwire.EarlyDropped(r) {
		f.dropped.Store(true)
	}
	switch cause := context.Cause(r.Context()); {
	case errors.Is(cause, httpwire.ErrServerClosed):
		f.ended.Add(1)
	case !errors.Is(cause, httpwire.ErrDisconnected):
		f.wrong.Add(1)
	}
}

// H3: what is no TLS, in the middle of it, is the client's fault, but not its
// leaving: this end gives up. Nor is the client's closing in answer to our alert.
func TestOnDisconnect_tlsGarbage(t *testing.T) {
	garbage := map[string][]byte{
		"no record":          []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
		"unauthentic record": append([]byte{23, 3, 3, 0, 64}, make([]byte, 64)...),
		"oversized record":   append([]byte{23, 3, 3, 0xff, 0xff}, make([]byte, 100)...),
	}
	for name, sent := range garbage {
		t.Run(name, func(t *testing.T) {
			each(t, 0, func(t *testing.T, v variant) {
				if !v.tls {
					t.Skip("is about TLS")
				}
				var vs visits
				s := vs.serve(t, v)
				control := vs.control(t, s)
				visit := vs.hold(t, pathOf(t), nil)
				var below net.Conn
				if v.proto == httpwire.HTTP2 {
					c := s.h2(t)
					c.get(pathOf(t))
					below = c.below
				} else {
					c, raw := s.dial(t)
					send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", pathOf(t))
					below = raw
				}
				receive(t, visit.ready, "the handler")
				_, err := below.Write(sent)
				must(t, err)
				receive(t, visit.ctx.Done(), "the context to be done")
				must(t, below.Close())
				vs.monitored(t, s)
				visit.end(t, 0)
				control.untouched(t)
			})
		})
	}
}

// monitored returns when the monitor has dealt with what came before.
func (vs *visits) monitored(t *testing.T, s *server) {
	v := variant{name: "h1", proto: httpwire.HTTP1, bare: s.bare}
	other := vs.serve(t, v)
	visit := vs.hold(t, pathOf(t)+"-other", nil)
	c, _ := other.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", pathOf(t)+"-other")
	receive(t, visit.ready, "the other handler")
	must(t, c.Close())
	receive(t, visit.fired, "the other connection's end")
	visit.end(t, 1)
}
