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
}

// tlsFrameConn is a frameConn above TLS: the server asks for its state.
type tlsFrameConn struct{ frameConn }

func (c *tlsFrameConn) ConnectionState() tls.ConnectionState {
	return c.Conn.(*tls.Conn).ConnectionState()
}

func (c *frameConn) original() net.Conn  { return c.Conn }
func (c *frameConn) streams() *http2Conn { return &c.http2 }

func (c *frameConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.pings.read(n, err)
	for b := p[:n]; len(b) > 0; {
		var id, code uint32
		var ok bool
		if b, id, code, ok = c.scan.next(b); ok {
			c.http2.reset(id, code)
		}
	}
	if err != nil {
		c.http2.note(err, wire.ReadErr)
	}
	return n, err
}

// Write looks for the server's own resets before they go out: the client may
// react to one by leaving.
func (c *frameConn) Write(p []byte) (int, error) {
	if c.pings.write(p) {
		c.http2.failedByUs()
	}
	for b := p; len(b) > 0; {
		var id uint32
		var ok bool
		if b, id, _, ok = c.sent.next(b); ok {
			c.http2.resetByUs(id)
		}
	}
	n, err := c.Conn.Write(p)
	c.pings.wrote(n, err)
	if err != nil {
		c.http2.note(err, wire.WriteErr)
	}
	return n, err
}

func (c *frameConn) Close() error {
	c.http2.closing()
	if ev, ok := c.pings.lost(); ok {
		c.http2.end(ev)
	}
	return c.Conn.Close()
}

const (
	frameHeaderLen = 9 // RFC 9113, 4.1
	frameRST       = 3 // RFC 9113, 6.4
	rstLen         = 4
)

// frameScanner finds RST_STREAM frames in a stream of frames that comes in
// pieces of any size. It holds at most one header and one RST_STREAM; all else it
// skips. What is malformed is the server's business.
type frameScanner struct {
	buf  [frameHeaderLen + rstLen]byte
	have int    // bytes of buf
	skip uint32 // bytes of payload that are of no interest
}

// next consumes some of b, and returns the rest, and a reset if it found one.
func (s *frameScanner) next(b []byte) (rest []byte, id, code uint32, ok bool) {
	if s.skip > 0 {
		n := min(uint64(s.skip), uint64(len(b)))
		s.skip -= uint32(n)
		return b[n:], 0, 0, false
	}
	want := frameHeaderLen
	if s.have >= frameHeaderLen {
		want += rstLen // only an RST_STREAM is kept beyond its header
	}
	n := copy(s.buf[s.have:want], b)
	b, s.have = b[n:], s.have+n
	switch s.have {
	case frameHeaderLen:
		if length := s.length(); s.buf[3] != frameRST || length != rstLen {
			s.skip, s.have = length, 0
		}
	case frameHeaderLen + rstLen:
		s.have = 0
		id = binary.BigEndian.Uint32(s.buf[5:]) &^ (1 << 31)
		return b, id, binary.BigEndian.Uint32(s.buf[frameHeaderLen:]), true
	}
	return b, 0, 0, false
}

func (s *frameScanner) length() uint32 {
	return uint32(s.buf[0])<<16 | uint32(s.buf[1])<<8 | uint32(s.buf[2])
}
