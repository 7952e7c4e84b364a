package httpwire

import (
	"context"
	"net/http"
	"reflect"
	"unsafe"
)

// request returns the request for the handler: r with w's context.
//
// Who has r besides must not find its context changed: a handler around ours may
// look at it on another goroutine. So ours is a copy, which costs more than all else
// here; except where the server has called mw itself. The server, which looks at r's
// context no more, has r then, and nobody else. The field is found by reflection,
// its type compared; where it is missing, ours is a copy as well.
func (w *watch) request(r *http.Request, mw *middleware) (ours *http.Request) {
	ctx := (*requestContext)(w)
	if contextAt != 0 && w.conn != nil && w.conn.Outermost(mw) {
		*(*context.Context)(unsafe.Add(unsafe.Pointer(r), contextAt)) = ctx
		return r
	}
	if r.Trailer == nil && w.proto == HTTP1 && r.ContentLength < 0 {
		r.Trailer = make(http.Header) // net/http merges trailers into its own request's: share the map
	}
	return r.WithContext(ctx)
}

// contextAt is where in an http.Request its context is, 0 if that is not known.
var contextAt = func() uintptr {
	f, ok := reflect.TypeFor[http.Request]().FieldByName("ctx")
	if !ok || len(f.Index) != 1 || f.Type != reflect.TypeFor[context.Context]() {
		return 0
	}
	return f.Offset
}()

// outermost reports whether h is the handler that Configure has made srv's, and still is it.
func outermost(srv *http.Server, h http.Handler) bool {
	if srv == nil {
		return false
	}
	c, ok := srv.Handler.(*configured)
	return ok && c.Handler == h
}
