package httpwire

import (
	"context"
	"io"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// An inputEnd is what a TCP connection knows of the end of its client's sending,
// under a policy that does not take it for the client's leaving. It is guarded
// by tcp.mu.
type inputEnd struct {
	level  uint8
	ev     wire.Event // what said so first; HTTP/2 has no policy and takes it
	asked  bool       // a probe has been written, or is about to be: a reset is its answer
	failed bool       // a write has failed since, by a deadline of ours
}

// How far the client's sending has ended. A higher level is news: it is what a
// client that closes a TLS connection does next, and asked again.
const (
	endedTLS uint8 = 1 + iota // close_notify, on an open TCP connection
	endedTCP                  // FIN
)

// spareLocked reports whether ev is no disconnect by the policy, which is not
// HalfCloseGone. What is one after the client was asked began with its FIN:
// spareLocked then makes it a close.
func (t *tcp) spareLocked(ev *wire.Event) bool {
	if t.onlyInput(*ev) {
		t.endLocked(endedTCP, *ev)
		return true
	}
	if t.end.asked && (ev.Kind == wire.Reset || ev.Kind == wire.WriteFailed) {
		ev.Kind = wire.Closed
	}
	return false
}

// onlyInput reports whether ev says no more than that the client's sending has
// ended. That is so as well where both sides are shut and one of them by us;
// except on a Unix socket, whose close shuts both and which we take for shut
// by us.
func (t *tcp) onlyInput(ev wire.Event) bool {
	return ev.Kind == wire.Closed ||
		t.writeShut && !t.unix && ev.Kind == wire.Reset && (ev.Source == wire.Monitor || ev.Source == wire.State)
}

// endLocked takes note of the end of the client's sending.
func (t *tcp) endLocked(level uint8, ev wire.Event) {
	if level <= t.end.level {
		return
	}
	if t.end.level == 0 {
		t.end.ev = ev
	}
	t.end.level = level
	if t.cur != nil {
		t.ask(t.cur, level)
	}
}

// ending is evidence for a protocol without a policy.
func (t *tcp) ending() (wire.Event, bool) {
	ev, ok := t.evidence()
	if ok {
		return ev, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end.ev, t.end.level != 0
}

// judgeEnd says for which reason net/http has cancelled a request whose client
// has not left. HalfClosed is no reason for the request's context to end.
//
// A Server.Close that is under way (mayClose) need not be ruled out: closing comes, and
// ends what lives on (Sink.Ended).
func (t *tcp) judgeEnd(cause error) wire.Event {
	if e, ok := baseReason(t.base); ok {
		return e
	}
	if cause != context.Canceled {
		return wire.Event{} // of a handler around ours
	}
	notified := t.closeNotified()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.end.failed || t.local.Load() && !t.openLocked():
		return wire.Event{Kind: wire.ServerDeadline}
	case !t.openLocked():
		return wire.Event{Kind: wire.ServerClosed}
	case t.end.level != 0:
		return wire.Event{Kind: wire.HalfClosed}
	case t.local.Load():
		return wire.Event{Kind: wire.ServerDeadline}
	case notified && !t.readShut:
		t.endLocked(endedTLS, closeNotify)
		return wire.Event{Kind: wire.HalfClosed}
	}
	return wire.Event{}
}

var closeNotify = wire.Event{Kind: wire.Closed, Err: io.EOF, Source: wire.ReadErr}
