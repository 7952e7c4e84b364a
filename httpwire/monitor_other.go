//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package httpwire

import (
	"syscall"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Without a monitor the evidence is what the wrapped connection reads and writes.
type monitor struct{}

var theMonitor monitor

func (monitor) works() bool     { return false }
func (monitor) add(*tcp) uint64 { return 0 }
func (monitor) remove(*tcp)     {}

func stateEvidence(syscall.RawConn) (wire.Event, bool) { return wire.Event{}, false }
