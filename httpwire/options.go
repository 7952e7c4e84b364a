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

	// BodyReadAhead is the number of bytes that are read ahead of the handler
	// on HTTP/1.
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
