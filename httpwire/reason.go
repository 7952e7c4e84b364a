package httpwire

import (
	"context"
	"errors"
	"net/http"
	"os"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// The reasons of our own for which a request's context ends while its handler is
// running: what its [context.Cause] matches, with errors.Is, where the client has
// not left. None of them is a [*Disconnect], and [OnDisconnect] does not call
// anybody for them. They match context.Canceled as well. A context that net/http
// cancels for yet another reason has plain context.Canceled as its cause, as
// without this package; so has one whose handler has returned.
var (
	// ErrServerClosed says that this end closed the connection: Server.Close, most
	// of the time, after the deadline of a Shutdown for example. The cause matches
	// http.ErrServerClosed too. (Shutdown by itself cancels nothing.)
	ErrServerClosed error = &reason{"httpwire: server closed the connection", http.ErrServerClosed, nil}

	// ErrServerDeadline says that a deadline of the server's or the handler's
	// passed: ReadTimeout, WriteTimeout, http.ResponseController. The cause matches
	// os.ErrDeadlineExceeded too. A deadline is noticed by the read or the write that
	// meets it: on HTTP/1 a handler that does neither may not be told. On HTTP/2 it is what remains where such a
	// deadline was set and nothing else is known.
	ErrServerDeadline error = &reason{"httpwire: server's deadline passed", os.ErrDeadlineExceeded, nil}

	// ErrBaseContext says that the context that the connection inherits is done:
	// http.Server's BaseContext or what ConnContext made of it. The cause wraps
	// the cause of that context.
	ErrBaseContext error = &reason{"httpwire: base context is done", nil, nil}
)

// A reason is one of these, or a cause made of one and the error behind it.
type reason struct {
	text  string
	alias error // what it is called elsewhere
	err   error // what is behind it
}

func (r *reason) Error() string {
	if r.err != nil {
		return r.text + ": " + r.err.Error()
	}
	return r.text
}

// Is reports whether target is the reason, however it came about, its name
// elsewhere, or what the context's Err is.
func (r *reason) Is(target error) bool {
	t, ok := target.(*reason)
	return ok && t.text == r.text || target == r.alias && target != nil || target == context.Canceled
}

func (r *reason) Unwrap() error { return r.err }

// reasonOf returns the cause for a context that ends with cause, for the reason
// that e names. A context that net/http ended by a deadline or a cause of its own
// keeps that.
func reasonOf(e wire.Event, cause error) error {
	switch e.Kind {
	case wire.ServerClosed:
		return ErrServerClosed
	case wire.ServerDeadline:
		return ErrServerDeadline
	case wire.BaseContext:
		if e.Err == nil || e.Err == context.Canceled {
			return ErrBaseContext
		}
		return &reason{text: ErrBaseContext.Error(), err: e.Err}
	}
	return cause
}

// baseReason says that the base context is done, if it is.
func baseReason(base context.Context) (wire.Event, bool) {
	if base == nil || base.Err() == nil {
		return wire.Event{}, false
	}
	return wire.Event{Kind: wire.BaseContext, Err: context.Cause(base)}, true
}

// Status returns the status code for a response, or for a log, about a call that
// ended with err:
//
//   - 200 if err is nil;
//   - 499 (nginx's "client closed request"; not a code of RFC 9110) if the client
//     has left, or if err matches context.Canceled and nothing else of this list;
//   - 503 if this end stopped, [ErrServerClosed] or [ErrBaseContext], or can't take the work now: the
//     first error with a method Unavailable() bool says so, as native's ErrPoolFull, ErrPoolClosed
//     and ErrHandleClosed have;
//   - 504 if a deadline passed: context.DeadlineExceeded, os.ErrDeadlineExceeded,
//     [ErrServerDeadline];
//   - 500 for all other errors.
//
// An error that is several of these is the first that this list names. Every error
// that is not nil is at least a 499. Status is about work for the request: an error of reading
// its body or writing its answer says less than context.Cause(r.Context()) does.
func Status(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrDisconnected):
		return statusClientClosedRequest
	case errors.Is(err, ErrServerClosed), errors.Is(err, http.ErrServerClosed), errors.Is(err, ErrBaseContext), unavailable(err):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, context.Canceled):
		return statusClientClosedRequest
	}
	return http.StatusInternalServerError
}

func unavailable(err error) bool {
	var u interface{ Unavailable() bool }
	return errors.As(err, &u) && u.Unavailable()
}

const statusClientClosedRequest = 499
