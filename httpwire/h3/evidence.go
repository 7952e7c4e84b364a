package h3

import (
	"errors"
	"syscall"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// leftBy reports whether err, the reason for which quic-go closed a stream's
// sending side or the whole connection, says that the client left. Only quic-go's
// own errors do, and of these only what the client said (Remote) and what the
// network says about it: a plain context.Canceled, net.ErrClosed or an error with
// Remote unset is this end's own doing.
func leftBy(err error) (wire.Event, bool) {
	if err == nil {
		return wire.Event{}, false
	}
	if e, ok := errors.AsType[*quic.StreamError](err); ok && e.Remote {
		return coded(wire.StreamReset, wire.Frame, uint64(e.ErrorCode), e), true
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok && e.Remote {
		return coded(closing(e.ErrorCode == 0 || e.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError)), wire.QUIC, uint64(e.ErrorCode), e), true
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok {
		// Remote unset: the client broke the protocol and we closed. Its
		// Unwrap may hold an error of the system; it decides nothing.
		// APPLICATION_ERROR is what the application's close, orderly or not, is called
		// during a handshake (RFC 9000, section 10.2.3): a 0-RTT request's.
		return coded(closing(e.ErrorCode == quic.NoError || e.ErrorCode == quic.ApplicationErrorErrorCode), wire.QUIC, uint64(e.ErrorCode), e), e.Remote
	}
	kind := lostBy(err)
	return wire.Event{Kind: kind, Source: wire.QUIC, Err: err}, kind != 0
}

// lostBy returns the kind for a connection that ended without a word of the
// client's, or 0 if err does not say that it did.
func lostBy(err error) uint8 {
	if _, ok := errors.AsType[*quic.StatelessResetError](err); ok {
		return wire.Reset
	}
	if _, ok := errors.AsType[*quic.IdleTimeoutError](err); ok {
		return wire.Timeout
	}
	if _, ok := errors.AsType[*quic.HandshakeTimeoutError](err); ok {
		return wire.Timeout // a 0-RTT request whose client vanished
	}
	for _, errno := range [...]syscall.Errno{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ECONNREFUSED} {
		if errors.Is(err, errno) {
			return wire.ConnectionLost // a failed send ends a quic-go connection
		}
	}
	return 0
}

func closing(noError bool) uint8 {
	if noError {
		return wire.Closed
	}
	return wire.Reset
}

func coded(kind, source uint8, code uint64, err error) wire.Event {
	return wire.Event{Kind: kind, Source: source, Code: code, HasCode: true, Err: err}
}
