package httpwire

import (
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

// write is told that something is about to be written: before, as the answer may
// come before the Write returns.
func (p *pings) write() { p.writing.Store(true) }

// sends is told of a frame that is about to be written.
func (p *pings) sends(f frame) {
	switch f.typ {
	case framePing:
		p.asked.Store(true)
	case frameGoAway:
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
	ev := wire.Event{Kind: wire.Timeout, Source: wire.Frame, Err: errPing}
	if p.writing.Load() {
		ev.Err = errStuck
		return ev, true
	}
	return ev, p.asked.Load()
}
