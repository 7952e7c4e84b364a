package servetest

import (
	"testing"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

// A Fixture is a server in the test's own process.
type Fixture struct {
	*serve.Server
	Events *demo.Events
}

// Dial makes a client of the server that ends with its test.
func (f *Fixture) Dial(t testing.TB, p client.Protocol) *Conn {
	c, _ := Dial(t, f.Sockets, p)
	return c
}

// MustCount checks that one client has left since before, that of the request id, with
// one callback and one call stopped.
func (f *Fixture) MustCount(t testing.TB, before serve.Calls, id string) {
	t.Helper()
	Until(t, "the handler to return", func() bool { return f.Inside() == 0 })
	now := f.Calls()
	if n := Total(now.Disconnects) - Total(before.Disconnects); n != 1 {
		t.Errorf("%d disconnects counted: %v", n, now.Disconnects)
	}
	if n := now.Cancelled - before.Cancelled; n != 1 || now.Running != 0 || now.CompletedDespiteCancel != before.CompletedDespiteCancel {
		t.Errorf("before %+v, now %+v", before, now)
	}
	if n := f.Events.Callbacks(id); n != 1 {
		t.Errorf("%d callbacks", n)
	}
	if n := now.CallbacksFired - before.CallbacksFired; n != 1 {
		t.Errorf("%d callbacks counted", n)
	}
}
