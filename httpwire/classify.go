package httpwire

import (
	"errors"
	"io"
	"net"
	"os"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// classify says whether err, of a read or a write of a connection, is evidence
// that the peer has left. A local deadline or close never is.
func classify(err error, source uint8) (wire.Event, bool) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return wire.Event{}, false
	}
	kind := kindOf(err)
	if kind == 0 && source == wire.ReadErr && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		kind = wire.Closed
	}
	return wire.Event{Kind: kind, Err: err, Source: source}, kind != 0
}

func kindOf(err error) uint8 {
	switch {
	case isAny(err, errReset):
		return wire.Reset
	case isAny(err, errPipe):
		return wire.WriteFailed
	case isAny(err, errTimedOut):
		return wire.Timeout
	case isAny(err, errUnreachable):
		return wire.ConnectionLost
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return wire.ConnectionLost // an alert of the peer's: crypto/tls gives it this name
	}
	return 0
}

func isAny(err error, targets []error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
