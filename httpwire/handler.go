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

func (mw *middleware) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if watchOf(r) != nil || isPreface(r) {
		// PRI is the preface of HTTP/2, on its way to x/net's h2c.NewHandler: a
		// connection, not a request. Its requests must not find a watch of it.
		mw.next.ServeHTTP(rw, r)
		return
	}
	conn, _ := ctx.Value(wire.Key).(wire.Conn)
	if conn != nil && int(conn.Proto()) != r.ProtoMajor {
		conn = nil // the connection below the one that this request came on
	}
	if conn == nil && !onServer(ctx) {
		mw.next.ServeHTTP(rw, r) // httptest
		return
	}
	w := newWatch(rw, r, conn)
	returned := false
	defer func() { // the outermost: before net/http cancels the context
		panics := w.leave(r)
		if len(panics) == 0 || !returned && !telling(panics) {
			return // a panic of the handler's own goes on untouched
		}
		var own any
		if !returned {
			own = recover()
		}
		panic(together(own, panics))
	}()
	if conn != nil {
		w.id = conn.Attach(rw, r, w)
	}
	mw.next.ServeHTTP(w.present(r), &w.req)
	returned = true
}

// isPreface is how x/net's h2c.NewHandler knows it.
func isPreface(r *http.Request) bool {
	return r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
}

// present returns the ResponseWriter for the handler, whose request is a copy of r.
func (w *watch) present(r *http.Request) http.ResponseWriter {
	rw := w.rw.present()
	if p, ok := w.conn.(wire.Presenter); ok {
		return p.Present(w.id, rw, r, &w.req)
	}
	return rw
}

// leave ends the watch, and hands over what the handler left in its copy of the
// request. It returns the panics of the callbacks.
func (w *watch) leave(r *http.Request) []*cancel.PanicError {
	if r.MultipartForm == nil {
		r.MultipartForm = w.req.MultipartForm // the server removes its files
	}
	r.Pattern = w.req.Pattern // an outer middleware may log it
	return append(w.closeStreams(), w.finish()...)
}

// watchOf returns the watch of r, nil if there is none. A watch of a connection
// that was taken over, by x/net's h2c.NewHandler, is not its requests' watch.
func watchOf(r *http.Request) *watch {
	w, _ := r.Context().Value(watchKey{}).(*watch)
	if w == nil || int(w.proto) != r.ProtoMajor || w.hijacked.Load() && isUpgradeH2C(r) {
		return nil
	}
	return w
}

// onServer reports whether ctx is of a request that came over a real connection:
// net/http and http3 both say on which address.
func onServer(ctx context.Context) bool {
	return ctx.Value(http.LocalAddrContextKey) != nil || ctx.Value(http.ServerContextKey) != nil
}
