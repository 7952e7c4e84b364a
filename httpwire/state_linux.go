package httpwire

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// stateEvidence reads the TCP state (tcp(7), TCP_INFO). A state that only the
// peer's FIN or RST leads to, on a socket that we have not closed, is evidence.
// It does not read SO_ERROR, which would take the error from the connection.
func stateEvidence(raw syscall.RawConn) (wire.Event, bool) {
	var state uint8
	err := raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			state = info.State
		}
	})
	if err != nil {
		return wire.Event{}, false
	}
	switch state {
	case unix.BPF_TCP_CLOSE_WAIT, unix.BPF_TCP_LAST_ACK, unix.BPF_TCP_CLOSING:
		return wire.Event{Kind: wire.Closed, Err: io.EOF, Source: wire.State}, true
	case unix.BPF_TCP_CLOSE:
		return brokenEvidence(raw, wire.State), true
	}
	return wire.Event{}, false
}
