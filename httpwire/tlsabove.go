package httpwire

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

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

// closesAbove reports whether we have begun to close TLS, which a tls.Conn says of
// itself before it sends its close_notify: so what a client does in reaction to
// that comes later. known is false while a Write is under way that is blocked: the
// others are over soon, often before the client reads what they wrote.
func (t *tcp) closesAbove() (closes, known bool) {
	c, ok := t.top.(*tls.Conn)
	for wait := time.Microsecond; t.writing.Load() > 0 && wait < 1<<10*time.Microsecond; wait *= 2 {
		time.Sleep(wait)
	}
	if !ok || t.writing.Load() > 0 {
		return false, false
	}
	_, err := c.Write(nil)
	return errors.Is(err, net.ErrClosed), true
}
