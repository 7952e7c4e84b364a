package httpwire

import (
	"context"
	"net/http"
	"testing"
)

// C1, H1: a handler that was left behind and the next request's attach at once: the connection is the request's,
// whoever was first.
func TestTurn_attachAtOnce(t *testing.T) {
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	done, stop := context.WithCancel(t.Context())
	stop()
	for range 20_000 {
		var c tcp
		c.turn.Store(turnBegun)
		late, next := &watch{parent: done, conn: &c, proto: HTTP1}, &watch{parent: t.Context(), conn: &c, proto: HTTP1}
		attached := make(chan struct{})
		go func() { c.attach(r, late); close(attached) }()
		c.attach(r, next)
		<-attached
		if c.cur != next || next.end.Load() != nil {
			t.Fatalf("current %p, ended %v; late %p, next %p", c.cur, next.end.Load(), late, next)
		}
	}
}
