package httpwire_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// resetsOf is the rival of the scanner: x/net's Framer on the whole.
func resetsOf(b []byte) (resets []uint64) {
	fr := http2.NewFramer(nil, bytes.NewReader(b))
	fr.SetMaxReadFrameSize(1<<24 - 1)
	fr.AllowIllegalReads = true
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return resets
		}
		if r, ok := f.(*http2.RSTStreamFrame); ok {
			resets = append(resets, uint64(r.StreamID)<<32|uint64(r.ErrCode))
		}
	}
}

func someFrames() []byte {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	_ = fr.WriteSettings()
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("half"), EndHeaders: false})
	_ = fr.WriteContinuation(1, true, []byte{0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8}) // looks like one
	_ = fr.WriteRSTStream(1, 8)
	_ = fr.WriteData(3, false, []byte{0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 8})
	_ = fr.WriteRSTStream(3, 0xdeadbeef)
	_ = fr.WritePing(false, [8]byte{})
	_ = fr.WriteRawFrame(200, 0xff, 1<<31-1, make([]byte, 1000))
	_ = fr.WriteRSTStream(1<<31-1, 0)
	b.Write([]byte{0, 0, 4, 3, 0, 0x80, 0, 0, 5, 0, 0, 0, 8}) // the reserved bit is set
	return b.Bytes()
}

// H2: the scanner finds every reset, whatever pieces the frames come in.
func TestFrameScanner_anyPieces(t *testing.T) {
	b := someFrames()
	want := []uint64{1<<32 | 8, 3<<32 | 0xdeadbeef, (1<<31 - 1) << 32, 5<<32 | 8}
	if got := resetsOf(b); !slices.Equal(got, want) {
		t.Fatalf("the rival finds %x", got)
	}
	for size := 1; size <= len(b); size++ {
		if got := httpwire.Scan(slices.Collect(slices.Chunk(b, size))...); !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d: %x, want %x", size, got, want)
		}
	}
}

// Robustness: any bytes, in any two pieces: no panic, and what is well-formed is
// found.
func FuzzFrameScanner(f *testing.F) {
	f.Add(someFrames(), 7)
	f.Add([]byte{0, 0, 5, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8}, 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		whole, pieces := httpwire.Scan(b), httpwire.Scan(b[:cut], b[cut:])
		if !slices.Equal(whole, pieces) {
			t.Errorf("cut at %d: %x, whole %x", cut, pieces, whole)
		}
		if want := resetsOf(b); len(whole) < len(want) || !slices.Equal(whole[:len(want)], want) {
			t.Errorf("%x, the Framer finds %x", whole, want)
		}
	})
}

// Robustness: resets of streams that nobody serves are not kept without bound.
func TestHTTP2Conn_bounded(t *testing.T) {
	if n := httpwire.EarlyResets(100000); n > 2048 {
		t.Errorf("%d resets are kept", n)
	}
}

// A ResponseWriter whose fields are not known has no stream.
func TestStreamID_unknown(t *testing.T) {
	type stream struct{ id string }
	type state struct{ stream *stream }
	type known struct {
		http.ResponseWriter
		rws *state
	}
	for _, w := range []http.ResponseWriter{wrapped{}, &known{rws: &state{stream: &stream{id: "?"}}}, &known{}} {
		if id := httpwire.StreamID(w); id != 0 {
			t.Errorf("%T: %d, want 0", w, id)
		}
	}
}

// Robustness: a flood of streams opened and reset at once. Each that reached a
// handler is told once, a neighbour's connection is not touched, and the server
// lives.
func TestOnDisconnect_resetFlood(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		var entered, told atomic.Int64
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if vs.find(r) != nil {
				vs.ServeHTTP(w, r)
				return
			}
			entered.Add(1)
			once := make(chan struct{}, 2)
			_, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { once <- struct{}{} })
			<-once
			told.Add(1)
		}))
		control := vs.hold(t, "/control", nil)
		neighbour := s.h2(t)
		id := neighbour.get("/control")
		receive(t, control.ready, "the neighbour's handler")

		c := s.h2(t)
		for range 20 {
			for range 100 {
				id := c.headers("GET", "/flood", true)
				must(t, c.fr.WriteRSTStream(id, http2.ErrCodeCancel))
			}
			if _, err := c.c.Write(c.out.Bytes()); err != nil {
				break // the server has had enough of it
			}
			c.out.Reset()
		}
		waitFor(t, "a handler", func() bool { return entered.Load() > 0 })
		_ = c.below.Close()
		waitFor(t, "all handlers to be told", func() bool { return entered.Load() == told.Load() })
		if control.ctx.Err() != nil || control.count.Load() != 0 {
			t.Errorf("the neighbour was told: %v", control.ctx.Err())
		}
		close(control.release)
		receive(t, neighbour.end(id), "the neighbour's response")
	})
}

// Robustness: what no client should send ends at most its own connection.
func TestServer_badFrames(t *testing.T) {
	bad := map[string]func(c *h2client){
		"RST_STREAM of an idle stream":    func(c *h2client) { _ = c.fr.WriteRSTStream(99, 8) },
		"RST_STREAM of stream 0":          func(c *h2client) { _ = c.fr.WriteRawFrame(3, 0, 0, []byte{0, 0, 0, 8}) },
		"RST_STREAM of 5 bytes":           func(c *h2client) { _ = c.fr.WriteRawFrame(3, 0, 1, make([]byte, 5)) },
		"RST_STREAM of none":              func(c *h2client) { _ = c.fr.WriteRawFrame(3, 0, 1, nil) },
		"CONTINUATION without HEADERS":    func(c *h2client) { _ = c.fr.WriteRawFrame(9, 4, 1, []byte("x")) },
		"RST_STREAM between HEADERS":      func(c *h2client) { _ = c.fr.WriteRawFrame(1, 0, 3, []byte{0x82}); _ = c.fr.WriteRSTStream(3, 8) },
		"headers of nonsense":             func(c *h2client) { _ = c.fr.WriteRawFrame(1, 5, 3, []byte("nonsense")) },
		"a frame larger than all allowed": func(c *h2client) { c.out.Write([]byte{255, 255, 255, 0, 0, 0, 0, 0, 1}) },
		"no frames":                       func(c *h2client) { fmt.Fprintf(&c.out, "%0999d", 0) },
	}
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		good := s.h2(t)
		receive(t, good.end(good.get("/")), "the neighbour's response")
		ends := map[string]chan struct{}{}
		for name, do := range bad {
			c := s.h2(t)
			do(c)
			_, _ = c.c.Write(c.out.Bytes())
			ends[name] = c.done
		}
		for name, end := range ends { // the server waits a second after its GOAWAY
			receive(t, end, "the connection to end after "+name)
		}
		receive(t, good.end(good.get("/")), "the neighbour's second response")
	})
}
