package httpwire

import (
	"context"
	"net/http"
	"reflect"
	"unsafe"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// watch begins to watch r, and returns the request for the handler: r with the watch's context.
//
// Who has r besides must not find its context changed: a handler around ours may
// look at it on another goroutine. So ours is a copy, which costs more than all else
// here; except where the server has called mw itself. The server, which looks at r's
// context no more, has r then, and nobody else. The field is found by reflection,
// its type compared; where it is missing, ours is a copy as well.
//
// A copy and its watch are one allocation.
func (mw *middleware) watch(rw http.ResponseWriter, r *http.Request, conn wire.Conn) (w *watch, ours *http.Request) {
	if contextAt != 0 && mw.isOutermost(conn) {
		w = new(watch)
		w.begin(rw, r, conn)
		w.setContext(r)
		return w, r
	}
	if r.Trailer == nil && r.ProtoMajor == 1 && r.ContentLength < 0 {
		r.Trailer = make(http.Header) // net/http merges trailers into its own request's: share the map
	}
	both := new(struct {
		watch
		copied http.Request
	})
	w = &both.watch
	w.begin(rw, r, conn)
	if contextAt == 0 {
		return w, r.WithContext((*requestContext)(w))
	}
	both.copied = *r
	w.setContext(&both.copied)
	return w, &both.copied
}

// setContext makes w's context r's. contextAt is known.
func (w *watch) setContext(r *http.Request) {
	*(*context.Context)(unsafe.Add(unsafe.Pointer(r), contextAt)) = (*requestContext)(w)
}

// isOutermost reports whether the server that conn is of calls mw itself.
func (mw *middleware) isOutermost(conn wire.Conn) bool {
	if t, ok := conn.(*tcp); ok { // what most requests meet with needs no look at method tables
		return mw.isOf(t.srv)
	}
	if c, ok := conn.(*http2Conn); ok {
		return mw.isOf(c.srv)
	}
	return conn != nil && conn.Outermost(mw)
}

// contextAt is where in an http.Request its context is, 0 if that is not known.
var contextAt = func() uintptr {
	f, ok := reflect.TypeFor[http.Request]().FieldByName("ctx")
	if !ok || len(f.Index) != 1 || f.Type != reflect.TypeFor[context.Context]() {
		return 0
	}
	return f.Offset
}()

// isOf reports whether mw is the handler that Configure has made srv's, and still is it.
func (mw *middleware) isOf(srv *http.Server) bool {
	if srv == nil {
		return false
	}
	c, ok := srv.Handler.(*configured)
	return ok && &c.middleware == mw
}

func outermost(srv *http.Server, h http.Handler) bool {
	mw, ok := h.(*middleware)
	return ok && mw.isOf(srv)
}
