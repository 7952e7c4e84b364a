package httpwire

import (
	"crypto/tls"
	"net"
	"reflect"
	"sync"
)

// bareConns are the connections of a server from a listener that is not ours. The
// monitor works for them too, on the systems that have one, but nobody tells us of
// their close until the kernel has dropped the registration; ConnState then does.
type bareConns struct {
	m sync.Map // net.Conn -> *tcp
}

// add returns the evidence for c, nil where there can be none.
func (b *bareConns) add(c net.Conn) *tcp {
	t := &tcp{bare: true}
	t.bind(lowest(c))
	if t.raw == nil || !theMonitor.works() || !reflect.TypeOf(c).Comparable() {
		return nil
	}
	b.m.Store(c, t)
	return t
}

// of returns the evidence for c, whether it is bare or wrapped; nil if there is none.
func (b *bareConns) of(c net.Conn) *tcp {
	if t := tcpOf(c); t != nil {
		return t
	}
	if !reflect.TypeOf(c).Comparable() {
		return nil
	}
	if t, ok := b.m.Load(c); ok {
		return t.(*tcp)
	}
	return nil
}

// http1 returns the evidence for c as of does, nil for HTTP/2, which ends streams, where c shows that. It is
// called twice for every request: where c's type says what to do, there is no walk down its NetConn methods.
func (b *bareConns) http1(c net.Conn) *tcp {
	low := c
	if t, ok := c.(*tls.Conn); ok {
		low = t.NetConn()
	}
	switch w := low.(type) {
	case *conn:
		return &w.tcp
	case *frameConn, *tlsFrameConn:
		return nil
	}
	return b.of(shown(c))
}

// lowest returns the connection below all that c is wrapped in.
func lowest(c net.Conn) net.Conn {
	for {
		switch w := c.(type) {
		case *conn:
			c = w.Conn // its NetConn gives it away
		case interface{ NetConn() net.Conn }:
			c = w.NetConn()
		default:
			return c
		}
	}
}

// forget is called when c is closed or hijacked.
func (b *bareConns) forget(c net.Conn) {
	if !reflect.TypeOf(c).Comparable() {
		return
	}
	if t, ok := b.m.LoadAndDelete(c); ok {
		t.(*tcp).abandon()
	}
}
