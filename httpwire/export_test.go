package httpwire

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"unsafe"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Scan returns what the frame scanner finds in the pieces, as id<<32 | code.
func Scan(pieces ...[]byte) (resets []uint64) {
	var s frameScanner
	for _, b := range pieces {
		for len(b) > 0 {
			var f frame
			var ok bool
			if b, f, ok = s.next(b); ok && f.typ == frameRST {
				resets = append(resets, uint64(f.id)<<32|uint64(f.code))
			}
		}
	}
	return resets
}

// StreamID is streamID.
func StreamID(w http.ResponseWriter) uint64 { return streamID(w) }

// EarlyResets is earlyResets.
type EarlyResets struct{ e earlyResets }

func (e *EarlyResets) Keep(id, code uint32)            { e.e.keep(id, code) }
func (e *EarlyResets) Lost(id uint32) bool             { return e.e.lost(id) }
func (e *EarlyResets) Attach(id uint32) (uint32, bool) { return e.e.attach(id) }
func (e *EarlyResets) Len() int {
	return max(len(e.e.codes), len(e.e.ahead)+len(e.e.past))
}

// EarlyKept returns how many resets the connection of r, HTTP/2, keeps.
func EarlyKept(r *http.Request) int {
	c := watchOf(r).conn.(*http2Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.early.codes)
}

// EarlyDropped reports whether some of them had to go.
func EarlyDropped(r *http.Request) bool {
	c := watchOf(r).conn.(*http2Conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.early.low != 0
}

// SwapOnly does the first half of a Gone: r's watch is decided, nobody is told.
func SwapOnly(r *http.Request) *Disconnect {
	d := new(Disconnect)
	if !watchOf(r).end.CompareAndSwap(nil, d) {
		return nil
	}
	return d
}

// Down reports whether we know of the Shutdown of the server whose Handler h is.
func Down(h http.Handler) bool { return h.(*configured).down.Load() }

// HasMonitor reports whether this system has a connection monitor.
func HasMonitor() bool { return theMonitor.works() }

// Slots is slots.
type Slots struct{ s slots }

func (s *Slots) Begin()                                 { s.s.begin() }
func (s *Slots) Set(fd int, token uint64)               { s.s.set(fd, token) }
func (s *Slots) Owner(fd int) (token uint64, sure bool) { return s.s.owner(fd) }

// EOF is eof.
func EOF(err error, both bool) (Kind, error) {
	ev := eof(err, both, wire.Monitor)
	return Kind(ev.Kind), ev.Err
}

// ConnSize is the size of what Listener keeps for a connection.
func ConnSize() int { return int(unsafe.Sizeof(conn{})) }

// KnowsTLSClosing reports whether a tls.Conn's note of its closing can be read.
func KnowsTLSClosing() bool { return activeCall.Load() >= 0 }

// KnowsTLSErrors reports whether the errors that end a tls.Conn can be read.
func KnowsTLSErrors() bool { return tlsInput.known && tlsOutput.known }

// CloseNotified reports whether c's input has ended by a close_notify.
func CloseNotified(c *tls.Conn) bool { return (&tcp{top: c}).closeNotified() }

// HoldTLSInput takes the mutex that whoever reads from c holds.
func HoldTLSInput(c *tls.Conn) (release func()) {
	mu := (*sync.Mutex)(unsafe.Add(unsafe.Pointer(c), tlsInput.mu))
	mu.Lock()
	return mu.Unlock
}

// Evidence is what c, accepted by a wrapped listener, knows of its end.
func Evidence(c net.Conn) (Kind, error) {
	ev, _ := c.(*conn).tcp.evidence()
	return Kind(ev.Kind), ev.Err
}

// FrameConn returns c as an HTTP/2 server reads it.
func FrameConn(c net.Conn) net.Conn { return &frameConn{Conn: c} }

// Served returns c as Listener's connections are, above a TCPConn.
func Served(c net.Conn) net.Conn {
	w := &conn{Conn: c}
	w.tcp.bind(c)
	return w
}

// Lowest returns the connection below all that c is wrapped in, and does not give it away as NetConn does.
func Lowest(c net.Conn) net.Conn { return lowest(c) }

// NoDeadline reports whether c, accepted by a wrapped listener, knows that it has no deadline.
func NoDeadline(c net.Conn) (read, write bool) {
	w := c.(*conn)
	return w.noRead.known(), w.noWrite.known()
}
