// Package wire is what httpwire and its protocol packages share: how a request
// finds the connection that it came on, and how that connection says that the
// request's client has left.
//
// A protocol puts a [Conn] under [Key] into the context that its requests
// inherit (http.Server.ConnContext, http3.Server.ConnContext). For each request
// httpwire.Handler attaches a [Sink] before it calls the handler and detaches it
// afterwards. Nothing here allocates.
package wire

import (
	"context"
	"net/http"
)

// Protocols, kinds and sources have the values of httpwire's exported types.
const (
	HTTP1 uint8 = 1 + iota
	HTTP2
	HTTP3
)

// Kinds: how the client left.
const (
	Closed         uint8 = 1 + iota // orderly: FIN, or QUIC CONNECTION_CLOSE with no error
	Reset                           // the connection was reset: RST, or CONNECTION_CLOSE with an error
	StreamReset                     // this request's stream: RST_STREAM, STOP_SENDING (with or without RESET_STREAM)
	BodyAborted                     // only the request's body: RESET_STREAM alone
	Timeout                         // the transport gave the peer up
	ConnectionLost                  // unreachable, or the connection broke in another way
	WriteFailed                     // a write found that nobody reads any more
)

// Reasons of our own for which a request's context ends: what Judge may say in
// an Event's Kind when the client has not left.
const (
	ServerClosed   uint8 = 64 + iota // we closed the connection
	ServerDeadline                   // a deadline of ours has passed
	BaseContext                      // the context that the connection inherits is done
	HalfClosed                       // none: the client has ended its sending, and the policy has the request go on
)

// Sources: what saw it.
const (
	Monitor  uint8 = 1 + iota // an event of the connection monitor
	ReadErr                   // an error of a read of the transport
	WriteErr                  // an error of a write to the transport
	State                     // the state of the TCP connection
	Frame                     // a frame of HTTP/2 or HTTP/3
	QUIC                      // the QUIC connection
	Context                   // the standard library's context alone: the fallback
)

// An Event says that the client of a request has left. Only positive evidence
// makes one: never a local deadline, limit, close or shutdown.
type Event struct {
	Err     error  // the underlying error, nil if there is none
	Code    uint64 // the protocol's error code, if HasCode
	Kind    uint8
	Source  uint8
	HasCode bool
}

// A Sink is the watch of one request.
type Sink interface {
	// Gone says that the request's client has left. It may be called from any
	// goroutine, any number of times and even after Detach; the first call
	// before the handler's return counts. It sets C-visible flags, does not run
	// callbacks itself and does not block. It may be called with a lock held
	// that Attach, Detach and Judge take: it calls none of them.
	Gone(e Event)

	// Ended says that the request's context has to end although its client has
	// not left, for the reason of our own that e's Kind names: the connection
	// was closed by this end. It may be called like Gone, but with no lock held.
	Ended(e Event)
}

// A Conn is a protocol connection as its requests see it. Its methods are safe
// for concurrent use and do not block.
type Conn interface {
	// Proto is HTTP1, HTTP2 or HTTP3: requests of another protocol do not
	// belong to this Conn, even when they find it in their context.
	Proto() uint8

	// Outermost reports whether h, a handler of httpwire.Handler's, is what the
	// server itself calls: then nobody around it has the request. It reads what
	// the server reads for each request.
	Outermost(h http.Handler) bool

	// Attach ties a request to the connection until Detach: s.Gone is called
	// once its client leaves, inside Attach already if that has happened. w and
	// r are those that the server made (w possibly with an Unwrap method).
	// The id names the request in Detach and Judge.
	Attach(w http.ResponseWriter, r *http.Request, s Sink) (id uint64)

	// Detach ends what Attach began. The Conn must not keep s.
	Detach(id uint64, s Sink)

	// Judge is asked when the standard context of an attached request is done,
	// with context.Cause of it: was it the client? Without positive evidence
	// the answer is false; the Event's Kind is then a reason of our own, or 0,
	// and Err may say more. It is called on a goroutine that may wait a little
	// (well below a millisecond) for evidence on its way, and may be called
	// after Detach.
	Judge(id uint64, s Sink, cause error) (Event, bool)
}

// A Presenter is a Conn whose ResponseWriters have more than net/http's
// interfaces (http3.HTTPStreamer). Present is called once per request, after
// Attach and before the handler; the handler gets what it returns: a writer
// that embeds rw, httpwire's own, and adds what is missing. It also gets copied, a
// copy of the request that the server made, or that request itself, which Present may complete.
type Presenter interface {
	Present(id uint64, rw http.ResponseWriter, made, copied *http.Request) http.ResponseWriter
}

// An Armer is a Conn that does a part of Attach's work only for a request whose
// handler looks. Arm is called at most once per request, between Attach and
// Detach, before OnDisconnect (or Done, Err, ...) returns; s.Gone may be called
// inside it.
type Armer interface {
	Arm(id uint64, s Sink)
}

// A Cutter is a Conn whose server would end the response of a handler as a complete one
// even if its writes have failed. Cut, called between Attach and Detach, makes it end as
// a broken one, and reports whether it is by this end, and not by its client, that it has ended.
type Cutter interface{ Cut(id uint64) (ours bool) }

// CheckOptions says what is wrong with a *httpwire.Options, which may be nil. It is
// set by httpwire, for its protocol packages.
var CheckOptions func(opts any) error

var key byte

// Key is the context key under which requests find their Conn, and those that are
// watched their watch. The innermost one counts. It is a pointer: comparing these is cheap.
var Key any = &key

// Find is ctx.Value(Key), and saves the load of a variable that nobody else needs.
func Find(ctx context.Context) any { return ctx.Value(&key) }
