package h3

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
	"github.com/quic-go/quic-go"
)

// A request is one request under watch, and the ResponseWriter of its handler
// (see writer.go): one object for both, the only allocation of a request that
// nobody looks at.
//
// Where the evidence comes from:
//
//	STOP_SENDING, and every end of the connection: the cause of the stream's own
//	context. quic-go sets it, typed, before any context of http3's is done:
//	http3 cancels r.Context() from the stream's, and the connection's context
//	is cancelled after all its streams were. So the typed error is there for
//	whoever finds r.Context() done, although that context's own cause is often
//	plain context.Canceled.
//
//	RESET_STREAM: quic-go's final size callback, which also runs for a FIN.
//	Peek tells one from the other.
type request struct {
	http.ResponseWriter              // httpwire's, from Present
	server              serverWriter // http3's own; nil if it is not one
	conn                *conn
	stream              *quic.Stream // nil: see fallback.go
	sink                wire.Sink

	mu       sync.Mutex
	detached bool
	armed    bool        // the stream has our final size callback
	hijacked bool        // the handler has taken the stream, and its callback, over
	stop     func() bool // ends following

	peek [1]byte
}

// arm begins to follow the stream, which saves the way over http3's own context,
// and registers for its final size. If that is known already, quic-go calls
// finalSize at once: a RESET_STREAM that came before anybody looked is found too.
func (q *request) arm() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stream == nil || q.armed || q.detached {
		return
	}
	q.armed = true
	q.follow()
	if !q.hijacked {
		q.stream.SetReceiveFinalSizeCallback(q.finalSize)
	}
}

// finalSize runs on quic-go's event loop, which must not wait: Peek may.
func (q *request) finalSize(int64) { go q.probe() }

// probe tells a RESET_STREAM from a FIN. It consumes nothing. It returns at once
// except in two cases, both harmless: a Read of the handler's is under way
// (a reset ends that Read), or the FIN overtook data that is still on its way. Then it
// waits as a Read would, until the data, a reset, the end of the
// connection or http3's CancelRead after the handler.
func (q *request) probe() {
	_, err := q.stream.Peek(q.peek[:])
	e, ok := errors.AsType[*quic.StreamError](err)
	if !ok || !e.Remote {
		// A FIN; or this end stopped reading first, and the RESET_STREAM is the
		// client's duty (RFC 9000, section 3.5); or the connection ended, which
		// the stream's context tells.
		return
	}
	// With both frames in one packet the STOP_SENDING is mostly seen by now. It says more.
	if !q.tellIfLeft() {
		q.sink.Gone(coded(wire.BodyAborted, wire.Frame, uint64(e.ErrorCode), e))
	}
}

// tellIfLeft tells the sink if the stream or the connection was ended by the client.
func (q *request) tellIfLeft() bool {
	e, left := leftBy(q.ended())
	if left {
		q.sink.Gone(e)
	}
	return left
}

// ended returns the error that ended the stream's sending side or the
// connection, nil while both last. The stream comes first: it is cancelled first.
func (q *request) ended() error {
	if q.stream != nil {
		if err := cause(q.stream.Context()); err != nil {
			if _, left := leftBy(err); left {
				return err
			}
		}
	}
	return cause(q.conn.quic.Context())
}

// cause is context.Cause, cheaper for a context that is not done.
func cause(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// judge answers Conn.Judge. When it was not the client, the client may still
// leave later, and the standard context, being done, will not say so again: the
// stream that arm follows will.
func (q *request) judge() (wire.Event, bool) {
	if e, left := leftBy(q.ended()); left {
		return e, true
	}
	if e := q.reason(); e.Kind != 0 {
		return e, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stream == nil && q.stop == nil && !q.detached {
		q.stop = q.fallback()
	}
	return wire.Event{}, false
}

// reason says why this end ended the request's context: it closed the connection,
// which the stream's context says before the connection's does; or the program
// cancelled the context that the connection's requests inherit. That one is a
// child of the connection's, so the connection comes first.
func (q *request) reason() wire.Event {
	err := cause(q.conn.quic.Context())
	if err == nil && q.stream != nil {
		if err = cause(q.stream.Context()); isStreams(err) {
			err = nil
		}
	}
	switch {
	case err != nil:
		return wire.Event{Kind: wire.ServerClosed}
	case q.conn.base.Err() != nil:
		return wire.Event{Kind: wire.BaseContext, Err: context.Cause(q.conn.base)}
	}
	return wire.Event{}
}

// isStreams reports whether err ended a stream alone: its own reset, or plainly its end.
func isStreams(err error) bool {
	_, ok := errors.AsType[*quic.StreamError](err)
	return ok || errors.Is(err, context.Canceled)
}

// follow waits, without a goroutine, for the end of the stream's sending side and
// then, if it was this end that closed it, for that of the connection. What has
// ended already is seen too: an AfterFunc of a done context runs at once.
func (q *request) follow() { q.stop = context.AfterFunc(q.stream.Context(), q.streamEnded) }

func (q *request) streamEnded() {
	if q.tellIfLeft() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.detached {
		q.stop = context.AfterFunc(q.conn.quic.Context(), q.connEnded)
	}
}

func (q *request) connEnded() { q.tellIfLeft() }

// detach ends the watch. The callback goes too, so that a FIN after the handler's
// return starts no probe; not if the handler has taken the stream over, as it may be the
// handler's own by now.
func (q *request) detach() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.detached = true
	if q.stop != nil {
		q.stop()
	}
	if q.armed && !q.hijacked {
		q.stream.SetReceiveFinalSizeCallback(nil)
	}
}
