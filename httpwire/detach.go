package httpwire

import (
	"context"
	"net/http"
	"time"
)

// Detach returns a context for work that survives the client of r and its
// handler: it has the values of r.Context(), but it is not done when the client
// leaves, nor when the handler returns, and it has no deadline. It is done when
// the server's base context is (http.Server's BaseContext, as ConnContext left
// it), with that context's cause, and so never on a server without one that ends.
// Give it a cause that [Status] knows: context.WithCancelCause, cancelled with
// [ErrBaseContext]. Server.Shutdown does not wait for detached work.
//
// Only work that is given this context is detached: r.Context() and the callbacks
// of [OnDisconnect] stay what they are. On HTTP/3, whose server has no base context
// that outlives a connection, and on a request without a watch, Detach is
// context.WithoutCancel(r.Context()).
func Detach(r *http.Request) context.Context {
	ctx := r.Context()
	w := watchOf(r)
	if w == nil || w.base() == nil {
		return context.WithoutCancel(ctx)
	}
	return detached{w.base(), context.WithoutCancel(ctx)}
}

// base returns the context that the request's connection inherited, nil where it
// is unknown.
func (w *watch) base() context.Context {
	switch c := w.conn.(type) {
	case *tcp:
		return c.base
	case *http2Conn:
		if c.tcp != nil {
			return c.tcp.base
		}
	}
	return nil
}

// detached is done when base is, and has the values of another context.
type detached struct {
	context.Context
	values context.Context
}

func (detached) Deadline() (t time.Time, ok bool) { return }

// Value asks the request's context first; what makes a context cancellable is
// base's: WithoutCancel hides the request's.
func (d detached) Value(key any) any {
	if v := d.values.Value(key); v != nil {
		return v
	}
	return d.Context.Value(key)
}
