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

	// HalfClose says what the end of the client's sending means on HTTP/1, for
	// connections of a wrapped [Listener] or, on Linux, of any. HTTP/2 and HTTP/3
	// end their streams by frames: there a FIN is a disconnect whatever it says.
	HalfClose HalfClosePolicy
}

// A HalfClosePolicy says what the end of a client's sending means on HTTP/1: a
// FIN (RFC 9293, 3.6: "I have no more data to send") or TLS's close_notify (RFC
// 8446, 6.1). Neither can be told from a close of both directions; RFC 9112, 9.6,
// has a server half-close, and says nothing of a client that does.
//
// Under the two policies that spare such a client, r.Context() outlives the
// standard context, which net/http cancels at the end of the input. It ends with
// the handler, with a disconnect, when this end closes the connection
// ([ErrServerClosed]; within a tenth of a second where the listener is not
// wrapped), when a write meets a deadline of ours ([ErrServerDeadline]), with the
// base context ([ErrBaseContext]), and at the deadline of its parent. Not with,
// once the client has ended its sending: a plain cancel by a handler around the
// configured one, which looks like net/http's. Such a handler sees net/http's own context, cancelled, as
// http.TimeoutHandler does; so does the deprecated http.CloseNotifier.
//
// A disconnect that comes later is told with its own kind: a reset, a failed
// write, a timeout. To a client that has closed, not half-closed, the first write
// provokes a reset. Without the monitor, off Linux, the write after that finds it.
type HalfClosePolicy uint8

// The policies.
const (
	// HalfCloseGone takes it for a disconnect, as net/http and proxies do: the
	// default. The response is still sent, if the handler writes one.
	HalfCloseGone HalfClosePolicy = iota

	// HalfCloseIgnore takes it for nothing: the client may still wait for its
	// answer. A client that closes while the handler does not write is not noticed
	// until it does.
	HalfCloseIgnore

	// HalfCloseProbe asks: it sends an interim response, 102 (Processing; RFC 2518,
	// 10.1), to which a client that has closed answers with a reset: that is a
	// disconnect of kind [Closed], with the error that was met. A client that has
	// half-closed answers nothing, and has to skip the interim response (RFC 9110,
	// 15.2): use it where clients are known to half-close and to do that.
	//
	// A client is asked at most once in a request; above TLS once for its
	// close_notify and once for its FIN. It is not asked over HTTP/1.0, once the
	// handler has begun its final response (a first Write, even if buffered), has
	// taken the connection over or has unwrapped the ResponseWriter, nor where a
	// handler around the configured one has put a ResponseWriter of its own below
	// or begun the response: there the policy is HalfCloseIgnore. So it is for a
	// client that leaves after it was asked. A handler around the configured one
	// must not write while that runs. To ask is to write: where a write deadline has
	// passed, it ends the request as the handler's own write would ([ErrServerDeadline]).
	HalfCloseProbe
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
