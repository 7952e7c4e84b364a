package httpwire

import (
	"context"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Judge looks at the TCP state: net/http may have read the end of the input
// before the monitor's goroutine came to run.
func (t *tcp) Judge(_ uint64, _ wire.Sink, cause error) (wire.Event, bool) {
	switch ev, ok := t.evidence(); {
	case ok:
		return ev, true
	case t.halfClose != HalfCloseGone:
		return t.judgeEnd(cause), false
	case t.endedAbove(cause):
		return closeNotify, true
	}
	return t.reason(), false
}

// reason says why we ended a request's context, as far as the connection knows: a
// deadline that has passed makes net/http close it too, so it comes first.
func (t *tcp) reason() wire.Event {
	if e, ok := baseReason(t.base); ok {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.local.Load():
		return wire.Event{Kind: wire.ServerDeadline}
	case !t.openLocked(), t.mayClose():
		return wire.Event{Kind: wire.ServerClosed}
	}
	return wire.Event{}
}

// open is openLocked, with the lock.
func (t *tcp) open() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.openLocked()
}

// openLocked reports whether we have not closed the connection.
func (t *tcp) openLocked() bool {
	return !t.closed && (t.raw == nil || t.raw.Control(func(uintptr) {}) == nil)
}

// endedAbove reports whether net/http has cancelled a request on a connection
// that is well as far as TCP is concerned: the end came by TLS.
func (t *tcp) endedAbove(cause error) bool {
	if !t.tls || cause != context.Canceled || t.base != nil && t.base.Err() != nil || !t.closeNotified() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.openLocked() && !t.local.Load() && !t.readShut && !t.mayClose()
}

// evidence returns what is known, after a look at the TCP state.
func (t *tcp) evidence() (wire.Event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.gone && !t.closed {
		t.lookLocked()
	}
	return t.ev, t.gone
}
