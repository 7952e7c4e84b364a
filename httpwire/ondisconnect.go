package httpwire

import (
	"net/http"
	"strings"

	"github.com/hangup-go/hangup/cancel"
)

// OnDisconnect registers f to be called when the client of r leaves while its
// handler is running: at most once, on a goroutine of its own. If the client has
// left already, f starts at once. When the handler returns, a registration that
// has not fired is forgotten, and one that is running is waited for: f never
// runs after the handler. Stopping a registration is optional.
//
// f is not called for a deadline, a limit, a shutdown, or the handler's return;
// and not once the response is complete: flushed, and a HEAD, a 204 or 304, or
// all of its Content-Length written. After a Hijack the connection's close is
// still reported, until the handler returns.
//
// On a request made for a test, without a server, OnDisconnect does nothing and
// succeeds. It returns [ErrNotConfigured] on a real server that was not
// configured; this includes requests through x/net's deprecated h2c.NewHandler:
// use http.Server.Protocols for HTTP/2 without TLS.
func OnDisconnect(r *http.Request, f func(*Disconnect)) (cancel.Registration, error) {
	if f == nil {
		panic("httpwire: OnDisconnect called with a nil callback")
	}
	w := watchOf(r)
	if w == nil {
		if !onServer(r.Context()) {
			return cancel.Registration{}, nil
		}
		return cancel.Registration{}, ErrNotConfigured
	}
	return w.arm().disc.OnCancel(func(cause error) { f(cause.(*Disconnect)) }), nil
}

func isUpgradeH2C(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "h2c")
}
