//go:build cgo

package main

import (
	"flag"
	"io"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/servetest"
	"github.com/hangup-go/hangup/internal/leaktest"
)

var (
	requestsFlag = flag.Int("hangup.requests", 300, "requests per protocol that complete; a tenth as many are hung up on")
	racesFlag    = flag.Int("hangup.races", 20_000, "cancels that race with the completion of a query")
)

func TestMain(m *testing.M) {
	servetest.AsProgram(main)
	leaktest.Main(m,
		goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"), // parked until it has been idle for some seconds
	)
}

// A fixture is a server on free ports that ends with its test.
type fixture struct {
	*servetest.Fixture
	instance *instance
}

// start starts a server with the flags in args.
func start(t *testing.T, args ...string) *fixture {
	t.Helper()
	o, err := parse(append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	events := demo.NewEvents()
	i, err := open(o, events.Trace(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	i.Start()
	f := &fixture{&servetest.Fixture{Server: i.Server, Events: events}, i}
	t.Cleanup(func() { f.end(t) })
	return f
}

// end drains the server, once.
func (f *fixture) end(t *testing.T) {
	t.Helper()
	if f.instance == nil {
		return
	}
	if err := f.instance.drain(0); err != nil {
		t.Errorf("drain: %v", err)
	}
	f.instance = nil
}
