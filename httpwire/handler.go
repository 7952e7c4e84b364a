package httpwire

import (
	"context"
	"net/http"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Handler returns a handler that watches each request while h serves it. It is
// the middleware that [Configure] puts around the server's handler; applied
// again to a request that is watched already it does nothing.
//
// When h returns or panics, the watch ends, r.Context() is done, and Handler
// waits for the callbacks of [OnDisconnect] that are running: none outlives it. A
// callback's panic becomes a panic of the handler, as a [*cancel.PanicError], or
// http.ErrAbortHandler itself if the callback panicked with that. Where several
// panic, or the handler as well, the PanicError's value is an error that joins
// theirs; http.ErrAbortHandler then gives way to the others.
//
// Without [Configure] the only evidence is the server's own context. Then a
// disconnect says [SourceContext], what net/http does not notice is missed, and
// Server.Close or a cancelled BaseContext during the handler is taken for one.
func Handler(h http.Handler) http.Handler {
	if h == nil {
		panic("httpwire: nil handler")
	}
	if mw, ok := h.(*middleware); ok {
		return mw
	}
	return &middleware{h}
}

type middleware struct{ next http.Handler }

// ServeHTTP has a small frame: the handler runs above it, perhaps on the fresh stack of a goroutine that
// HTTP/2 and HTTP/3 make for each request, and growing that costs more than all that is done here.
func (mw *middleware) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w, ours := mw.enter(rw, r)
	if w == nil {
		mw.next.ServeHTTP(rw, r)
		return
	}
	defer w.exit(r, ours) // the outermost: before net/http cancels the context
	mw.next.ServeHTTP(w.attach(r, ours), ours)
	w.returned = true
}

// enter begins to watch r. There is nothing to watch where w is nil.
func (mw *middleware) enter(rw http.ResponseWriter, r *http.Request) (w *watch, ours *http.Request) {
	conn, watched := find(r)
	if watched != nil || isPreface(r) {
		// PRI is the preface of HTTP/2, on its way to x/net's h2c.NewHandler: a
		// connection, not a request. Its requests must not find a watch of it.
		return nil, nil
	}
	if conn == nil && !onServer(r.Context()) {
		return nil, nil // httptest
	}
	return mw.watch(rw, r, conn)
}

// exit is deferred: it ends the watch, and passes panics on.
func (w *watch) exit(r, ours *http.Request) {
	panics := w.leave(r, ours)
	if len(panics) == 0 || !w.returned && !telling(panics) {
		return // a panic of the handler's own goes on untouched
	}
	var own any
	if !w.returned {
		own = recover()
	}
	panic(together(own, panics))
}

// isPreface is how x/net's h2c.NewHandler knows it.
func isPreface(r *http.Request) bool {
	return r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
}

// attach ties w to the connection that r came on, and returns the ResponseWriter for the handler, whose
// request is ours: r or a copy of it. What most requests meet with is called
// directly: a table of methods is one more thing that no cache holds.
func (w *watch) attach(r, ours *http.Request) http.ResponseWriter {
	switch c := w.conn.(type) {
	case nil:
	case *tcp:
		c.attach(r, w)
	default:
		w.id = c.Attach(w.rw.ResponseWriter, r, w)
	}
	rw := w.present()
	if w.proto != HTTP3 {
		return rw
	}
	if p, ok := w.conn.(wire.Presenter); ok {
		return p.Present(w.id, rw, r, ours)
	}
	return rw
}

// leave ends the watch, and hands over what the handler left in its copy of the
// request, if it has one. It returns the panics of the callbacks.
func (w *watch) leave(r, ours *http.Request) []*cancel.PanicError {
	if r != ours {
		if r.MultipartForm == nil {
			r.MultipartForm = ours.MultipartForm // the server removes its files
		}
		r.Pattern = ours.Pattern // an outer middleware may log it
	}
	if w.looked.Load() == nil {
		return w.finish()
	}
	panics := w.closeStreams()
	return append(panics, w.finish()...)
}

// find returns what r's context says of it: the watch, if it has one, else the
// connection that it came on, nil if that is not known.
func find(r *http.Request) (wire.Conn, *watch) {
	for ctx := r.Context(); ; {
		v := wire.Find(ctx)
		if t, ok := v.(*tcp); ok && r.ProtoMajor == 1 {
			return t, nil
		}
		if c, ok := v.(*http2Conn); ok && r.ProtoMajor == 2 {
			return c, nil
		}
		switch v := v.(type) {
		case *watch:
			if v.watches(r) {
				return nil, v
			}
			ctx = v.parent
		case wire.Conn:
			if int(v.Proto()) != r.ProtoMajor {
				return nil, nil // the connection below the one that this request came on
			}
			return v, nil
		default:
			return nil, nil
		}
	}
}

// watchOf returns the watch of r, nil if there is none.
func watchOf(r *http.Request) *watch {
	if w, _ := r.Context().Value(wire.Key).(*watch); w != nil && w.watches(r) {
		return w
	}
	return nil
}

// watches reports whether w, which r's context has, is of r. A watch of a connection
// that was taken over, by x/net's h2c.NewHandler, is not its requests' watch.
func (w *watch) watches(r *http.Request) bool {
	return int(w.proto) == r.ProtoMajor && !(w.hijacked.Load() && isUpgradeH2C(r))
}

// onServer reports whether ctx is of a request that came over a real connection:
// net/http and http3 both say on which address.
func onServer(ctx context.Context) bool {
	return ctx.Value(http.LocalAddrContextKey) != nil || ctx.Value(http.ServerContextKey) != nil
}
