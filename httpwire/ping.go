package httpwire

import (
	"encoding/binary"
	"errors"
	"os"
	"sync/atomic"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// errPing is the error of a Disconnect whose evidence is a ping without an answer.
var errPing = errors.New("http2: the client did not answer a ping")

// errStuck is the same where the ping could not even be sent.
var errStuck = errors.New("http2: the client reads nothing and answers nothing")

// pings watches the server ask its client whether it is there. A server that gives
// its client up for a lost ping just closes the connection. It does so for other
// reasons too, and of those none may look like a disconnect; each leaves a trace
// that comes first:
//
//	the connection broke, or was closed from outside (Server.Close): a Read or a Write has failed
//	a protocol error, Shutdown, IdleTimeout: a GOAWAY was written (with whatever code: it may
//	change its meaning later, and is not written again then)
//	a flood of frames: something was read
//
// What is left is a client that was asked and is silent: a ping was written, or a
// write is stuck in front of it, and nothing was read since. A client that
// sends, but no answer to the ping, is not told: it is there.
//
// So no time is needed, which is good, as x/net keeps its PingTimeout to itself.
type pings struct {
	scan    pingScanner // used by Write only, which the server calls one at a time
	asked   atomic.Bool // a ping went out, and nothing was read since it was about to
	writing atomic.Bool // a Write is under way, and nothing was read since it began
	over    atomic.Bool // a trace of another reason
}

// read is told of the outcome of each Read.
func (p *pings) read(n int, err error) {
	if n > 0 {
		p.asked.Store(false)
		p.writing.Store(false)
	}
	if err != nil {
		p.over.Store(true)
	}
}

// write is told of what is about to be written: before, as the answer may come
// before the Write returns.
// It reports whether a GOAWAY with an error is in it.
func (p *pings) write(b []byte) (failed bool) {
	p.writing.Store(true)
	for len(b) > 0 {
		var f uint8
		b, f = p.scan.next(b)
		switch f {
		case framePing:
			p.asked.Store(true)
		case frameGoAway:
			p.over.Store(true)
			failed = failed || p.scan.code != 0
		}
	}
	return failed
}

// wrote is told of the outcome of each Write. A WriteByteTimeout that has passed
// after a part was written is none: the server tries again.
func (p *pings) wrote(n int, err error) {
	p.writing.Store(false)
	if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
		p.over.Store(true)
	}
}

// lost is asked when the server closes the connection: was it for a lost ping?
func (p *pings) lost() (wire.Event, bool) {
	if p.over.Swap(true) {
		return wire.Event{}, false // or it was asked before
	}
	ev := wire.Event{Kind: wire.Timeout, Source: wire.Frame, Err: errPing}
	if p.writing.Load() {
		ev.Err = errStuck
		return ev, true
	}
	return ev, p.asked.Load()
}

const (
	framePing   = 6 // RFC 9113, 6.7
	frameGoAway = 7 // RFC 9113, 6.8
	flagAck     = 1
	goAwayLen   = 8 // the least
)

// pingScanner finds PING frames that ask, and GOAWAY frames, in a stream of frames
// that comes in pieces of any size. It looks at headers, and at a GOAWAY's code.
type pingScanner struct {
	buf  [frameHeaderLen + goAwayLen]byte
	have int    // bytes of buf
	skip uint32 // bytes of payload to come
	code uint32 // of the GOAWAY found last
}

// next consumes some of b, and returns the rest, and the type of a frame that was
// found, else 0.
func (s *pingScanner) next(b []byte) (rest []byte, found uint8) {
	if s.skip > 0 {
		n := min(uint64(s.skip), uint64(len(b)))
		s.skip -= uint32(n)
		return b[n:], 0
	}
	want := frameHeaderLen
	if s.have >= frameHeaderLen {
		want += goAwayLen // only a GOAWAY is kept beyond its header
	}
	n := copy(s.buf[s.have:want], b)
	s.have += n
	length := binary.BigEndian.Uint32(s.buf[:]) >> 8
	switch s.have {
	case frameHeaderLen:
		typ := s.buf[3]
		if typ == frameGoAway && length >= goAwayLen {
			break
		}
		s.skip, s.have = length, 0
		if typ == framePing && s.buf[4]&flagAck == 0 {
			found = typ
		}
	case frameHeaderLen + goAwayLen:
		s.skip, s.have = length-goAwayLen, 0
		s.code = binary.BigEndian.Uint32(s.buf[frameHeaderLen+4:])
		found = frameGoAway
	}
	return b[n:], found
}
