package httpwire

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"
)

// unlessClosing calls f, which takes something that the client did for evidence,
// unless it may have been a reaction to us: closing a tls.Conn sends close_notify
// before it closes the descriptor, and clients react to that by a FIN, or on HTTP/2
// by resetting their streams. Server.Close does so, a failed write of net/http's,
// and a handler that closes a connection that it has taken over. Likewise the alert
// by which we give TLS up.
//
// A tls.Conn notes that it is being closed before it sends anything, so no reaction
// comes here before the note. Where the note can't be read, a closed listener stands
// for it, as Server.Close begins with that, and f is called later, if we have not
// closed the connection by then.
func (t *tcp) unlessClosing(f func()) {
	closes, known := t.closesAbove()
	broken, sure := t.brokenAbove()
	switch {
	case known && closes, broken:
	case !known && t.shutting != nil && t.shutting.Load(), !sure:
		t.doubt(f)
	default:
		f()
	}
}

// mayClose reports whether what the client does now may be such a reaction.
func (t *tcp) mayClose() bool {
	closes, known := t.closesAbove()
	return closes || !known && t.shutting != nil && t.shutting.Load()
}

// doubt calls f a little later, if we have not closed the connection by then, nor given
// TLS up. An alert that takes longer than that has not been read.
func (t *tcp) doubt(f func()) {
	time.AfterFunc(doubtFor, func() {
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if broken, _ := t.brokenAbove(); !closed && !broken {
			f()
		}
	})
}

// doubtFor is long for Server.Close, which is under way, and short for a server
// that drains and learns of a disconnect as much later.
const doubtFor = 200 * time.Millisecond

// closesAbove reports whether we have begun to close TLS.
func (t *tcp) closesAbove() (closes, known bool) {
	if !t.tls {
		return false, true
	}
	c, ok := t.top.(*tls.Conn)
	if i := activeCall.Load(); ok && i >= 0 {
		field := reflect.ValueOf(c).Elem().Field(int(i))
		calls := (*atomic.Int32)(unsafe.Pointer(field.UnsafeAddr()))
		return calls.Load()&1 != 0, true
	}
	return false, false
}

// activeCall is the index of the tls.Conn's field that counts calls of Write, in
// twos, and whose lowest bit Close sets first of all; -1 if this version of
// crypto/tls has none. An empty Write would say the same, but may have to wait.
var activeCall atomic.Int32

func init() {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName("activeCall")
	if !ok || len(f.Index) != 1 || f.Type != reflect.TypeFor[atomic.Int32]() {
		activeCall.Store(-1)
		return
	}
	activeCall.Store(int32(f.Index[0]))
}

// closeNotified reports whether TLS's input has ended as the client's close_notify ends
// it. That is what net/http cancels a request for on a connection that is well below
// TLS; or a handler around ours has cancelled it, which looks the same from its context.
//
// Who holds the input's mutex is in a Read: one that waits, and then nothing has ended,
// or one that finds the end that another found before (net/http begins one when a body ends too early). That has it
// for an instant, or, on a machine that is short of processors, for as long as its thread does not run.
func (t *tcp) closeNotified() bool {
	c, ok := t.top.(*tls.Conn)
	return ok && tlsInput.isEOF(c)
}

// brokenAbove reports whether it was this end that gave TLS up: the client sent
// what is no TLS, and crypto/tls answered with an alert of its own. The client is
// there, and waits; its connection will be closed by us. So this is no
// disconnect, as little as a frame that no client should send is on HTTP/2; nor is the
// client's closing in answer.
//
// crypto/tls keeps the error, under the mutex that it holds while it sends the alert. So
// whoever finds the mutex free knows. If it is not, a write is under way: of data, or
// perhaps of that alert, and then it is not sure.
func (t *tcp) brokenAbove() (broken, sure bool) {
	c, ok := t.top.(*tls.Conn)
	if !ok {
		return false, true
	}
	free, err := tlsOutput.load(c)
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "local error", free || !t.alert.Load()
}

// gaveUp is brokenAbove, and also if that is not sure.
func (t *tcp) gaveUp() bool {
	broken, sure := t.brokenAbove()
	return broken || !sure
}

// mayBeAlert reports whether p, which TLS writes, may be an alert: RFC 5246, 6.2.1;
// under TLS 1.3 two bytes of data look the same (RFC 8446, 5.2).
func mayBeAlert(p []byte) bool {
	const alert, data, alertLen = 21, 23, 5 + 2 + 1 + 16
	return len(p) > 0 && (p[0] == alert || p[0] == data && len(p) == alertLen)
}

// lateCloseNotify reports whether err, of a write of p, is that our close_notify has met a
// deadline: crypto/tls sets one of its own for it, which says nothing of the request.
func (t *tcp) lateCloseNotify(p []byte, err error) bool {
	if !t.tls || !mayBeAlert(p) || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	closes, _ := t.closesAbove()
	return closes
}
