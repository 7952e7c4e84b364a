package httpwire

import (
	"context"
	"net"
	"net/http"
	"reflect"
	"sync"
)

// wrapLateConnState shows a ConnState hook that is set after Configure the
// connection that net/http shows it, not our frame reader in it. httptest.Server
// sets one in Start: it would take every HTTP/2 connection for one that never
// sent a request, and close it under a running handler.
//
// BaseContext is called by the first Serve before it accepts anything: nothing
// reads ConnState yet. A later Serve leaves it alone, as connections may.
func wrapLateConnState(srv *http.Server) {
	var once sync.Once
	ours := reflect.ValueOf(srv.ConnState).Pointer()
	inner := srv.BaseContext
	srv.BaseContext = func(l net.Listener) context.Context {
		once.Do(func() {
			if hook := srv.ConnState; hook != nil && reflect.ValueOf(hook).Pointer() != ours { // else it does so itself
				srv.ConnState = func(c net.Conn, state http.ConnState) { hook(shown(c), state) }
			}
		})
		if inner != nil {
			return inner(l)
		}
		return context.Background()
	}
}

// shown returns the connection that net/http's own HTTP/2 would show for c.
func shown(c net.Conn) net.Conn {
	if o, ok := c.(interface{ original() net.Conn }); ok {
		return o.original()
	}
	return c
}
