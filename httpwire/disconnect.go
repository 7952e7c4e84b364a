package httpwire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// ErrDisconnected matches, with errors.Is, every [*Disconnect].
var ErrDisconnected = errors.New("httpwire: client disconnected")

// ErrNotConfigured is returned by [OnDisconnect] for a request that no watch
// looks after, because neither [Configure] nor [Handler] was applied to its
// server: its client's leaving would never be noticed.
var ErrNotConfigured = errors.New("httpwire: request is not watched: call httpwire.Configure on its server, as the last step before serving")

// A Disconnect says how the client of a request left. It is an error, and the
// context's cause: context.Cause(r.Context()) is the *Disconnect from the moment
// the client is known to have left. It is immutable.
type Disconnect struct {
	Proto   Protocol
	Kind    Kind
	Code    uint64    // the protocol's error code, if HasCode: of RST_STREAM, STOP_SENDING, ...
	HasCode bool      // whether the protocol gave a code
	Err     error     // the underlying error, nil if there is none
	Time    time.Time // when it was noticed
	Source  Source    // what noticed it
}

// Error describes the disconnect in one line.
func (d *Disconnect) Error() string {
	s := "client disconnected: " + d.Proto.String() + " " + d.Kind.String()
	if d.HasCode {
		s += " (code 0x" + strconv.FormatUint(d.Code, 16) + ")"
	}
	if d.Err != nil {
		s += ": " + d.Err.Error()
	}
	return s
}

// Is reports whether target is [ErrDisconnected], or context.Canceled: what the
// context's Err says, and what code that never heard of a cause looks for.
func (d *Disconnect) Is(target error) bool {
	return target == ErrDisconnected || target == context.Canceled
}

// When returns Time. It is what a native.Receipt says of the disconnect.
func (d *Disconnect) When() time.Time { return d.Time }

// Unwrap returns the underlying error.
func (d *Disconnect) Unwrap() error { return d.Err }

// Protocol is the HTTP version that a request came by.
type Protocol uint8

// The protocols.
const (
	HTTP1 = Protocol(wire.HTTP1)
	HTTP2 = Protocol(wire.HTTP2)
	HTTP3 = Protocol(wire.HTTP3)
)

// String returns "HTTP/1", "HTTP/2" or "HTTP/3".
func (p Protocol) String() string { return name("Protocol", uint8(p), "HTTP/1", "HTTP/2", "HTTP/3") }

// Kind is the way in which a client left.
type Kind uint8

// The kinds.
const (
	Closed         = Kind(wire.Closed)         // the connection was closed in order: a FIN (which can't be told from a half-close)
	Reset          = Kind(wire.Reset)          // the connection was reset: an RST, or closed with an error by QUIC
	StreamReset    = Kind(wire.StreamReset)    // the request's stream was reset: RST_STREAM, STOP_SENDING
	BodyAborted    = Kind(wire.BodyAborted)    // the client broke off the request's body
	Timeout        = Kind(wire.Timeout)        // the transport gave the peer up: keepalive, retransmission, idle timeout
	ConnectionLost = Kind(wire.ConnectionLost) // the peer is unreachable, or the connection broke in another way
	WriteFailed    = Kind(wire.WriteFailed)    // a write found the connection broken (EPIPE); by what, the system has told a read, if anybody
)

// String returns the kind in words, such as "stream reset".
func (k Kind) String() string {
	return name("Kind", uint8(k), "closed", "reset", "stream reset", "body aborted", "timeout", "connection lost", "write failed")
}

// Source is what noticed that a client left.
type Source uint8

// The sources.
const (
	SourceMonitor  = Source(wire.Monitor)  // an event of the connection monitor (epoll or kqueue: on Linux, macOS and the BSDs)
	SourceRead     = Source(wire.ReadErr)  // an error of a read from the connection
	SourceWrite    = Source(wire.WriteErr) // an error of a write to the connection
	SourceTCPState = Source(wire.State)    // the state of the TCP connection, read when the connection ended
	SourceFrame    = Source(wire.Frame)    // a frame of HTTP/2 or HTTP/3
	SourceQUIC     = Source(wire.QUIC)     // the QUIC connection
	SourceContext  = Source(wire.Context)  // the standard context alone, where nothing else could see the client; see Handler for what this can't tell apart
)

// String returns the source in words, such as "monitor".
func (s Source) String() string {
	return name("Source", uint8(s), "monitor", "read", "write", "TCP state", "frame", "QUIC", "context")
}

func name(typ string, v uint8, names ...string) string {
	if v == 0 || int(v) > len(names) {
		return fmt.Sprintf("%s(%d)", typ, v)
	}
	return names[v-1]
}
