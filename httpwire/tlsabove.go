package httpwire

import (
	"crypto/tls"
	"errors"
	"net"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"
)

// unlessClosing calls f, which takes something that the client did for evidence,
// unless it may have been a reaction to us: closing a tls.Conn sends close_notify
// before it closes the descriptor, and clients react to that by a FIN, or on HTTP/2
// by resetting their streams. Server.Close does so, a failed write of net/http's,
// and a handler that closes a connection that it has taken over.
//
// A tls.Conn notes that it is being closed before it sends anything, so no reaction
// comes here before the note. Where the note can't be read, a closed listener stands
// for it, as Server.Close begins with that, and f is called later, if we have not
// closed the connection by then.
func (t *tcp) unlessClosing(f func()) {
	switch closes, known := t.closesAbove(); {
	case known && closes:
	case !known && t.shutting != nil && t.shutting.Load():
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

// doubt calls f a little later, if we have not closed the connection by then.
func (t *tcp) doubt(f func()) {
	time.AfterFunc(doubtFor, func() {
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if !closed {
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

// brokenAbove reports whether it was this end that gave TLS up: the client sent
// what is no TLS, and crypto/tls answered with an alert of its own. The client is
// there, and waits; its connection will be closed by us. So this is no
// disconnect, as little as a frame that no client should send is on HTTP/2.
//
// crypto/tls keeps that error, and returns it from every later Write, before it
// writes anything; an empty Write sends nothing. Who comes here has seen net/http
// end the request, so the read that gave up has returned: the error is there
// before us. Where it is not, an empty Write may have to wait for a Write of the
// handler's that is blocked, as the client, which has sent its close_notify, does
// not read. We don't wait for that: writing says that there is one, and a Write
// after the error does not get as far as writing. One that begins between the two
// lines holds this up until it ends; the end of the connection is told meanwhile
// by TCP. Where writes are not seen it is not asked: the Source says so.
func (t *tcp) brokenAbove() bool {
	c, ok := t.top.(*tls.Conn)
	if !ok || t.bare || t.writing.Load() > 0 {
		return false
	}
	_, err := c.Write(nil)
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "local error"
}
