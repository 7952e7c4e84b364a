package httpwire

import (
	"crypto/tls"
	"encoding/binary"
	"net"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// frameConn is the connection that an HTTP/2 server reads: it looks at the
// frames that go by, and tells of a stream's reset before the server has even
// seen it.
type frameConn struct {
	net.Conn
	http2 http2Conn
	scan  frameScanner // used by Read only, which the server calls from one goroutine at a time
	pings pings
	sent  frameScanner // used by Write only, likewise

	// What was read and the server has not asked for yet; Read's only. Servers read a frame in two pieces, its
	// header and its payload: from here the second costs no system call.
	from, to int
	ended    error // came with it
	buf      [frameBuffer]byte
}

// frameBuffer is more than most requests' HEADERS, and little beside what else a connection takes.
const frameBuffer = 1 << 10

// tlsFrameConn is a frameConn above TLS: the server asks for its state.
type tlsFrameConn struct{ frameConn }

func (c *tlsFrameConn) ConnectionState() tls.ConnectionState {
	return c.Conn.(*tls.Conn).ConnectionState()
}

func (c *frameConn) original() net.Conn  { return c.Conn }
func (c *frameConn) streams() *http2Conn { return &c.http2 }

func (c *frameConn) Read(p []byte) (int, error) {
	if c.from == c.to {
		if err := c.ended; err != nil {
			c.ended = nil
			return 0, err
		}
		if len(p) == 0 || len(p) >= len(c.buf) {
			return c.read(p)
		}
		n, err := c.read(c.buf[:])
		if n == 0 {
			return 0, err
		}
		c.from, c.to, c.ended = 0, n, err
	}
	n := copy(p, c.buf[c.from:c.to])
	c.from += n
	c.pings.read(n, nil) // the server, which may be slow, has read it now
	return n, nil
}

// read reads from the connection below, and looks at what comes.
func (c *frameConn) read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.pings.read(n, err)
	for b := p[:n]; len(b) > 0; {
		var f frame
		var ok bool
		if b, f, ok = c.scan.next(b); ok {
			c.reads(f)
		}
	}
	if err != nil {
		c.http2.note(err, wire.ReadErr)
	}
	return n, err
}

// reads is told of a frame of the client's.
func (c *frameConn) reads(f frame) {
	c.pings.reads(f)
	if f.typ == frameRST {
		c.http2.reset(f.id, f.code)
	}
}

// Write looks for the server's own resets before they go out: the client may
// react to one by leaving.
func (c *frameConn) Write(p []byte) (int, error) {
	c.pings.write()
	for b := p; len(b) > 0; {
		var f frame
		var ok bool
		if b, f, ok = c.sent.next(b); ok {
			c.sends(f)
		}
	}
	n, err := c.Conn.Write(p)
	c.pings.wrote(n, err)
	if err != nil {
		c.http2.note(err, wire.WriteErr)
	}
	return n, err
}

// sends is told of a frame of the server's, before it goes out.
func (c *frameConn) sends(f frame) {
	c.pings.sends(f)
	switch {
	case f.typ == frameRST:
		c.http2.resetByUs(f.id, f.code)
	case f.typ == frameGoAway && f.code != 0:
		c.http2.failedByUs()
	}
}

func (c *frameConn) Close() error {
	c.http2.closing()
	if ev, ok := c.pings.lost(); ok {
		c.http2.end(ev)
	}
	return c.Conn.Close()
}

// Frames of RFC 9113: 4.1, 6.4, 6.7, 6.8.
const (
	frameHeaderLen = 9
	frameRST       = 3
	framePing      = 6
	frameGoAway    = 7
	flagAck        = 1
	rstLen         = 4
	goAwayLen      = 8 // the least
)

// A frame is what is said of one that was found. The id is a reset's, the code a
// reset's or a GOAWAY's; ack says that a PING answers.
type frame struct {
	typ      uint8
	ack      bool
	id, code uint32
}

// frameScanner finds RST_STREAM, PING and GOAWAY frames in a stream of frames that
// comes in pieces of any size. It holds at most one header and what it needs of one
// payload; all else it skips. What is malformed is the server's business.
type frameScanner struct {
	buf  [frameHeaderLen + goAwayLen]byte
	have int    // bytes of buf
	skip uint32 // bytes of payload that are of no interest
}

// next consumes some of b, and returns the rest, and a frame if it found one.
func (s *frameScanner) next(b []byte) (rest []byte, f frame, ok bool) {
	for s.have == 0 { // frames of no interest, without a copy of their headers
		n := min(int(s.skip), len(b))
		b, s.skip = b[n:], s.skip-uint32(n)
		if len(b) == 0 {
			return b, frame{}, false
		}
		if len(b) < frameHeaderLen || b[3] == frameRST || b[3] == framePing || b[3] == frameGoAway {
			break
		}
		s.skip = uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
		b = b[frameHeaderLen:]
	}
	want := frameHeaderLen
	if s.have >= frameHeaderLen {
		want += s.needs()
	}
	n := copy(s.buf[s.have:want], b)
	b, s.have = b[n:], s.have+n
	if s.have < frameHeaderLen || s.have < frameHeaderLen+s.needs() {
		return b, frame{}, false
	}
	s.skip, s.have = s.length()-uint32(s.needs()), 0
	f, ok = s.found()
	return b, f, ok
}

// needs returns how many bytes of payload tell what is of interest.
func (s *frameScanner) needs() int {
	switch typ, length := s.buf[3], s.length(); {
	case typ == frameRST && length == rstLen:
		return rstLen
	case typ == frameGoAway && length >= goAwayLen:
		return goAwayLen
	}
	return 0
}

// found says what is in buf.
func (s *frameScanner) found() (f frame, ok bool) {
	f.typ = s.buf[3]
	switch {
	case f.typ == framePing:
		f.ack = s.buf[4]&flagAck != 0
	case s.needs() == 0:
		return frame{}, false
	case f.typ == frameRST:
		f.id = binary.BigEndian.Uint32(s.buf[5:]) &^ (1 << 31)
		f.code = binary.BigEndian.Uint32(s.buf[frameHeaderLen:])
	case f.typ == frameGoAway:
		f.code = binary.BigEndian.Uint32(s.buf[frameHeaderLen+4:])
	}
	return f, true
}

func (s *frameScanner) length() uint32 {
	return uint32(s.buf[0])<<16 | uint32(s.buf[1])<<8 | uint32(s.buf[2])
}
