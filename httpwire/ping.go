package httpwire

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

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
//	a flood of frames: something has just been read
//
// What is left is a client that was asked and has not answered: a ping was written,
// or a write is stuck in front of it. That something else was read since does not
// acquit it: the last frame of a client that vanishes may cross the ping, and who
// takes in a long response sends WINDOW_UPDATEs while a write is under way.
//
// So the server's patience need not be known, which is good, as x/net keeps its
// PingTimeout to itself.
type pings struct {
	asked   atomic.Bool  // a ping went out, and was not answered
	writing atomic.Bool  // a Write is under way
	over    atomic.Bool  // a trace of another reason
	heard   atomic.Int64 // when something was read last during asked or writing, since epoch
}

// justNow is long for the way from a Read to the close that it led to, and short for
// a PingTimeout.
const justNow = 100 * time.Millisecond

var epoch = time.Now()

// read is told of the outcome of each Read, of the connection and of the server. When it was is only asked while a ping is out or a write
// under way, and the clock costs a request more than anything else here. What was read before is no reason
// to close then: the server pings after silence, and what it can't answer, a flood, piles up
// during the write.
func (p *pings) read(n int, err error) {
	if n > 0 && (p.asked.Load() || p.writing.Load()) {
		p.hear()
	}
	if err != nil {
		p.over.Store(true)
	}
}

func (p *pings) hear() { p.heard.Store(int64(time.Since(epoch))) }

// reads is told of a frame that was read.
func (p *pings) reads(f frame) {
	if f.typ == framePing && f.ack {
		p.asked.Store(false)
	}
}

// write is told that something is about to be written.
func (p *pings) write() { p.writing.Store(true) }

// sends is told of a frame that is about to be written: before, as the answer may
// come before the Write returns.
func (p *pings) sends(f frame) {
	switch {
	case f.typ == framePing && !f.ack:
		p.asked.Store(true)
	case f.typ == frameGoAway:
		p.over.Store(true)
	}
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
	if heard := p.heard.Load(); heard != 0 && time.Since(epoch)-time.Duration(heard) < justNow {
		return wire.Event{}, false
	}
	ev := wire.Event{Kind: wire.Timeout, Source: wire.Frame, Err: errPing}
	if p.writing.Load() {
		ev.Err = errStuck
		return ev, true
	}
	return ev, p.asked.Load()
}
