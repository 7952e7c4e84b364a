package httpwire

import (
	"io"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// eof says what it means that a kernel reports the end of the input of an open
// connection: err is the socket's error, if it has one, and both says that output
// has ended too. Both end at once by a reset or a timeout, whose error may be
// gone: a read of net/http's has taken it.
func eof(err error, both bool, source uint8) wire.Event {
	switch {
	case err != nil:
		ev := wire.Event{Kind: kindOf(err), Err: err, Source: source}
		if ev.Kind == 0 {
			ev.Kind = wire.ConnectionLost
		}
		return ev
	case both && len(errReset) > 0:
		return wire.Event{Kind: wire.Reset, Err: errReset[0], Source: source}
	case both:
		return wire.Event{Kind: wire.Reset, Source: source}
	}
	return wire.Event{Kind: wire.Closed, Err: io.EOF, Source: source}
}
