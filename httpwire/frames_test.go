package httpwire_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
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

// inPieces is a connection whose Reads bring random pieces of what is left, and at the end an error, with
// the last of them or by itself.
type inPieces struct {
	net.Conn
	rnd  *rand.Rand
	left []byte
	end  error
	with bool // the error comes with the last piece
}

func (c *inPieces) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		if c.with {
			return 0, errors.New("read on after the end")
		}
		return 0, c.end
	}
	n := copy(p, c.left[:1+c.rnd.IntN(len(c.left))])
	c.left = c.left[n:]
	if c.with && len(c.left) == 0 {
		return n, c.end
	}
	return n, nil
}

// A server reads what the client has sent, in whatever pieces that comes and is asked for, and
// then the error, once all else is read.
func TestFrameConn_read(t *testing.T) {
	end := errors.New("the end")
	for seed := range uint64(2000) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		sent := make([]byte, 1+rnd.IntN(6000))
		for i := range sent {
			sent[i] = byte(rnd.Uint32())
		}
		c := httpwire.FrameConn(&inPieces{rnd: rnd, left: sent, end: end, with: seed%2 == 0})
		var got []byte
		var err error
		for err == nil {
			p := make([]byte, rnd.IntN(2000)>>rnd.IntN(9))
			var n int
			n, err = c.Read(p)
			if n == 0 && err == nil && len(p) > 0 {
				t.Fatalf("seed %d: a read of %d brings nothing", seed, len(p))
			}
			got = append(got, p[:n]...)
		}
		if !bytes.Equal(got, sent) || err != end {
			t.Fatalf("seed %d: %d bytes of %d, or others, and %v", seed, len(got), len(sent), err)
		}
	}
}

// A frame's header and its payload are one Read of the connection, though a server asks for them one
// after the other; and a large payload is read where it belongs.
func TestFrameConn_reads(t *testing.T) {
	for size, want := range map[int]int{0: 1, 100: 1, 1000: 1, 16384: 2} {
		var b bytes.Buffer
		must(t, http2.NewFramer(&b, nil).WriteData(1, false, make([]byte, size)))
		below := &atOnceConn{Reader: &b}
		fr := http2.NewFramer(nil, httpwire.FrameConn(below))
		f, err := fr.ReadFrame()
		must(t, err)
		if n := len(f.(*http2.DataFrame).Data()); n != size || below.reads != want {
			t.Errorf("%d bytes of %d in %d reads, want %d", n, size, below.reads, want)
		}
	}
}

type atOnceConn struct {
	net.Conn
	io.Reader
	reads int
}

func (w *atOnceConn) Read(p []byte) (int, error) { w.reads++; return w.Reader.Read(p) }
