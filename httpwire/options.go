package httpwire

import (
	"fmt"
	"time"
)

// Options of [Configure] and of h3.Configure. The zero value works, and so does
// a nil pointer: then nothing is switched on that costs a request anything.
type Options struct {
	// PeerTimeout bounds the time until a peer is found to have gone that
	// vanishes without a packet.
	PeerTimeout time.Duration

	// BodyReadAhead is the number of bytes of a connection that are read ahead
	// of the handler while a request with a body is served on HTTP/1; 0 is off.
	//
	// A client that closes its connection is noticed once all that it has sent
	// before has been received. If the handler does not read a body that is larger
	// than TCP's receive window, that is never (a reset is noticed at once). With
	// read-ahead it is, up to so many bytes unread; past them the client is held
	// back by TCP, and a close behind more is noticed when the handler has read on.
	//
	// It costs a goroutine per request whose body is longer than 4 KB or of unknown
	// length, while its handler runs, memory for the bytes that are held
	// in blocks of 16 KB, and a copy. Bytes come in order and none is lost, also
	// those of the next request; deadlines, Expect: 100-continue and full duplex
	// work as ever. It needs connections of a wrapped [Listener]: on others it is
	// off. What reads past such a connection (its NetConn or SyscallConn, or the
	// descriptor) misses what is held; a Hijack ends the reading ahead, and a read
	// of the hijacked connection starts with what is held.
	BodyReadAhead int

	// HalfClose says what the end of the client's sending means on HTTP/1.
	HalfClose HalfClosePolicy
}

// A HalfClosePolicy says what the end of a client's sending means on HTTP/1: a
// FIN, or TLS's close_notify. Neither can be told from a close.
type HalfClosePolicy uint8

// The policies.
const (
	HalfCloseGone   HalfClosePolicy = iota // the client has left: the default, as in net/http and in proxies
	HalfCloseIgnore                        // the client may still wait for its answer: only a reset counts
	HalfCloseProbe                         // ask, by an interim response: a client that has left resets the connection
)

// minPeerTimeout is the least that TCP can do: its keepalive counts in seconds.
const minPeerTimeout = 4 * time.Second

// checked returns a copy of o, or says what is wrong with it.
func (o *Options) checked() (*Options, error) {
	if o == nil {
		return &Options{}, nil
	}
	switch {
	case o.PeerTimeout < 0 || o.PeerTimeout > 0 && o.PeerTimeout < minPeerTimeout:
		return nil, fmt.Errorf("httpwire: Options.PeerTimeout is %v: it must be 0 or at least %v", o.PeerTimeout, minPeerTimeout)
	case o.BodyReadAhead < 0:
		return nil, fmt.Errorf("httpwire: Options.BodyReadAhead is %d: it must not be negative", o.BodyReadAhead)
	case o.HalfClose > HalfCloseProbe:
		return nil, fmt.Errorf("httpwire: Options.HalfClose is %d: no such policy", o.HalfClose)
	}
	c := *o
	return &c, nil
}
