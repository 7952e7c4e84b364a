package httpwire_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An h2client speaks HTTP/2 frame by frame.
type h2client struct {
	t     testing.TB
	c     net.Conn
	below *net.TCPConn
	tls   bool
	out   bytes.Buffer // frames to be sent in one write
	fr    *http2.Framer
	enc   *hpack.Encoder
	head  bytes.Buffer
	next  uint32

	mu       sync.Mutex
	ends     map[uint32]chan struct{} // closed at END_STREAM
	data     map[uint32]int
	gotData  map[uint32]chan int // DATA bytes so far, after each frame
	pings    chan [8]byte        // answered
	goAway   chan http2.ErrCode
	resets   chan http2.ErrCode
	settled  chan struct{} // the server's SETTINGS are answered
	done     chan struct{} // the reader has ended
	resetIDs chan uint32   // the first streams that the server has reset
	write    sync.Mutex

	mute       atomic.Bool   // pings are not answered any more
	deaf       atomic.Bool   // nothing is read any more, from the next frame on
	pinged     chan struct{} // pings from the server
	unanswered chan struct{} // a ping from the server while mute
}

// h2 opens a connection, and returns when the server's SETTINGS are answered: an
// answer that came later could get into the middle of a header block of the test's,
// which the server answers by a GOAWAY.
func (s *server) h2(t testing.TB) *h2client {
	t.Helper()
	c, below := s.dial(t)
	h := newH2client(t, c)
	h.below, h.tls = below, s.tls
	h.out.WriteString(http2.ClientPreface)
	must(t, h.fr.WriteSettings())
	h.flush()
	go h.read()
	t.Cleanup(func() {
		_ = below.Close()
		receive(t, h.done, "the client's reader")
	})
	receive(t, h.settled, "the server's SETTINGS")
	return h
}

// newH2client returns a client that has sent nothing, and reads nothing.
func newH2client(t testing.TB, c net.Conn) *h2client {
	h := &h2client{t: t, c: c, next: 1,
		ends: map[uint32]chan struct{}{}, gotData: map[uint32]chan int{}, data: map[uint32]int{},
		pings: make(chan [8]byte, 16), goAway: make(chan http2.ErrCode, 16), resets: make(chan http2.ErrCode, 16),
		resetIDs: make(chan uint32, 16), settled: make(chan struct{}, 1), done: make(chan struct{}),
		pinged: make(chan struct{}, 1024), unanswered: make(chan struct{}, 1)}
	h.fr = http2.NewFramer(&h.out, c)
	h.enc = hpack.NewEncoder(&h.head)
	return h
}

// ping waits until the server has read all that was sent.
func (h *h2client) ping() {
	h.t.Helper()
	must(h.t, h.fr.WritePing(false, [8]byte{'t', 'e', 's', 't'}))
	h.flush()
	receive(h.t, h.pings, "the server's answer to a ping")
}

func (h *h2client) flush() {
	h.t.Helper()
	h.write.Lock()
	defer h.write.Unlock()
	_, err := h.c.Write(h.out.Bytes())
	h.out.Reset()
	must(h.t, err)
}

// headers appends HEADERS for a request; the caller flushes.
func (h *h2client) headers(method, path string, endStream bool, more ...string) (id uint32) {
	h.t.Helper()
	id = h.next
	h.next += 2
	h.mu.Lock()
	h.ends[id] = make(chan struct{})
	h.gotData[id] = make(chan int, 1024)
	h.mu.Unlock()
	h.head.Reset()
	scheme := "http"
	if h.tls {
		scheme = "https"
	}
	fields := append([]string{":method", method, ":scheme", scheme, ":authority", "localhost", ":path", path}, more...)
	for i := 0; i < len(fields); i += 2 {
		must(h.t, h.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	must(h.t, h.fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: h.head.Bytes(), EndStream: endStream, EndHeaders: true,
	}))
	return id
}

// get sends a request without a body.
func (h *h2client) get(path string) uint32 {
	h.t.Helper()
	id := h.headers("GET", path, true)
	h.flush()
	return id
}

func (h *h2client) reset(id uint32, code http2.ErrCode) {
	h.t.Helper()
	must(h.t, h.fr.WriteRSTStream(id, code))
	h.flush()
}

func (h *h2client) end(id uint32) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends[id]
}

// read reads all there is. It has a framer of its own for its answers.
func (h *h2client) read() {
	defer close(h.done)
	var out bytes.Buffer
	fr := http2.NewFramer(&out, h.c)
	for !h.deaf.Load() {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if f.IsAck() {
				note(h.pings, f.Data)
				break
			}
			note(h.pinged, struct{}{})
			if h.mute.Load() {
				note(h.unanswered, struct{}{})
				break
			}
			_ = fr.WritePing(true, f.Data)
		case *http2.GoAwayFrame:
			note(h.goAway, f.ErrCode)
		case *http2.RSTStreamFrame:
			note(h.resets, f.ErrCode)
			note(h.resetIDs, f.StreamID)
		case *http2.DataFrame:
			h.mu.Lock()
			h.data[f.StreamID] += len(f.Data())
			select {
			case h.gotData[f.StreamID] <- h.data[f.StreamID]:
			default:
			}
			h.mu.Unlock()
		}
		if f.Header().Flags.Has(http2.FlagDataEndStream) &&
			(f.Header().Type == http2.FrameData || f.Header().Type == http2.FrameHeaders) {
			h.mu.Lock()
			if c := h.ends[f.Header().StreamID]; c != nil {
				close(c)
			}
			h.mu.Unlock()
		}
		if out.Len() > 0 {
			h.write.Lock()
			_, _ = h.c.Write(out.Bytes())
			h.write.Unlock()
			out.Reset()
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			note(h.settled, struct{}{})
		}
	}
}

// note does not wait for anybody to take v.
func note[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}
