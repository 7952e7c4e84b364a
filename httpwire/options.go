package httpwire

import (
	"fmt"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Options of [Configure] and of h3.Configure. The zero value works, and so does
// a nil pointer: then nothing is switched on that costs a request anything.
type Options struct {
	// PeerTimeout bounds the time until a client is found to have gone that
	// vanishes without a packet: switched off, unplugged, out of range. Its
	// requests end with a [Disconnect] of kind [Timeout], or [ConnectionLost] where
	// the network says that the client can't be reached, whether their handlers are blocked
	// or write. A client that is there, and silent for as long as it likes, is
	// not cut off. The zero value leaves everything as it is, which takes minutes; else
	// it is at least 4 s, as TCP counts in seconds, and needs two for half of it.
	//
	// It sets, on every TCP connection accepted, also from a listener that is
	// not wrapped, if the socket can be reached through methods NetConn or SyscallConn:
	//
	//   - keepalive, to find silence within half of it, instead of what the listener set;
	//   - on Linux TCP_USER_TIMEOUT, and on macOS TCP_RXT_CONNDROPTIME (in whole
	//     seconds), to a third of it: for data that is not acknowledged. Other systems have their own limit
	//     for that, of minutes: on them, and on HTTP/1, it holds for silent handlers only;
	//   - for HTTP/2, http.Server.HTTP2's SendPingTimeout to half and its
	//     PingTimeout to a third of it. What is set there stays; what
	//     golang.org/x/net/http2.Server has (ReadIdleTimeout, PingTimeout) gives way;
	//   - for HTTP/3, by h3.Configure, quic.Config's MaxIdleTimeout and HandshakeIdleTimeout
	//     to half of it, unless they are shorter.
	//
	// One kind of client that is there is cut off all the same: one that does
	// not read what is sent to it, for longer than a third of PeerTimeout, so that its
	// receive window stays closed; on HTTP/2 also one that does not answer
	// pings, as it does not read its connection. A paused download is
	// the likely case: choose PeerTimeout three times as long as a pause may be.
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

func init() {
	wire.CheckOptions = func(opts any) error {
		_, err := opts.(*Options).checked()
		return err
	}
}

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
