// Package streamtest tests the stream producers of httpwire on a protocol, for the
// tests of the packages that serve it.
package streamtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// bound is how long a test waits for anything.
const bound = 20 * time.Second

// A Protocol is a way to serve.
type Protocol struct {
	// Serve serves h behind outer, which is around the watch, until t ends.
	Serve func(t testing.TB, h http.Handler, outer func(http.Handler) http.Handler) (url string)

	// Client returns a client with connections of its own.
	Client func(t testing.TB) *http.Client
}

// Run runs all tests.
func Run(t *testing.T, p Protocol) {
	for _, made := range producers {
		t.Run(made.name, func(t *testing.T) {
			for _, s := range scenarios {
				t.Run(s.name, func(t *testing.T) { s.run(t, p, made) })
			}
		})
	}
	t.Run("heartbeats", func(t *testing.T) { heartbeats(t, p) })
}

// An emitter is a stream of tokens.
type emitter struct {
	emit func(token string) error
	done <-chan struct{}
}

// A producer makes streams, and reads back what their clients get.
type producer struct {
	name, contentType string
	open              func(w http.ResponseWriter, r *http.Request, o *httpwire.StreamOptions) (emitter, error)
	parse             func(body []byte) (tokens []string, err error)
}

var producers = []producer{
	{"events", "text/event-stream", openEvents, parseEvents},
	{"ndjson", "application/x-ndjson", openNDJSON, parseLines},
	{"chunks", "application/octet-stream", openChunks, parseChunks},
}

func openEvents(w http.ResponseWriter, r *http.Request, o *httpwire.StreamOptions) (emitter, error) {
	s, err := httpwire.NewEventStream(w, r, o)
	if err != nil {
		return emitter{}, err
	}
	return emitter{func(tok string) error { return s.Emit(httpwire.Event{Data: tok}) }, s.Done()}, nil
}

func openNDJSON(w http.ResponseWriter, r *http.Request, o *httpwire.StreamOptions) (emitter, error) {
	s, err := httpwire.NewNDJSON[line](w, r, o)
	if err != nil {
		return emitter{}, err
	}
	return emitter{func(tok string) error { return s.Emit(line{tok}) }, s.Done()}, nil
}

func openChunks(w http.ResponseWriter, r *http.Request, o *httpwire.StreamOptions) (emitter, error) {
	s, err := httpwire.NewChunks(w, r, o)
	if err != nil {
		return emitter{}, err
	}
	return emitter{func(tok string) error { return s.Emit([]byte(tok + ";")) }, s.Done()}, nil
}

// An exchange is one request of a test, and what its handler met with.
type exchange struct {
	t     *testing.T
	leave context.CancelFunc
	got   chan answer
	over  chan any // what ServeHTTP has panicked with, nil if it has returned
	calls chan *httpwire.Disconnect
}

// An answer is what the client got: a body that ended with err, nil if complete.
type answer struct {
	rsp *http.Response
	err error
}

// start begins a request whose handler is do.
func start(t *testing.T, p Protocol, do http.HandlerFunc) *exchange {
	t.Helper()
	x := &exchange{t: t, got: make(chan answer, 1), over: make(chan any, 1), calls: make(chan *httpwire.Disconnect, 4)}
	url := p.Serve(t, x.register(do), x.outer)
	ctx, leave := context.WithCancel(context.Background())
	t.Cleanup(leave)
	x.leave = leave
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := p.Client(t)
	go func() {
		rsp, err := c.Do(r)
		x.got <- answer{rsp, err}
	}()
	return x
}

func (x *exchange) register(do http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { x.calls <- d }); err != nil {
			x.t.Errorf("OnDisconnect: %v", err)
		}
		do(w, r)
	})
}

// outer passes panics on as http.ErrAbortHandler, which servers do not log.
func (x *exchange) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			x.over <- v
			if v != nil {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// response waits for the header.
func (x *exchange) response() *http.Response {
	x.t.Helper()
	a := receive(x.t, x.got, "the response")
	if a.err != nil {
		x.t.Fatalf("response: %v", a.err)
	}
	x.t.Cleanup(func() { _ = a.rsp.Body.Close() })
	return a.rsp
}

// body reads all of it; the error is nil for a complete one.
func (x *exchange) body() ([]byte, error) {
	x.t.Helper()
	return io.ReadAll(x.response().Body)
}

// returned waits for the handler, which must not have panicked.
func (x *exchange) returned() {
	x.t.Helper()
	if v := receive(x.t, x.over, "the handler to return"); v != nil {
		x.t.Errorf("the handler panicked: %v", v)
	}
}

// left checks what a stream says of a client that has left.
func (x *exchange) left(e emitter, err error) {
	x.t.Helper()
	d, ok := errors.AsType[*httpwire.Disconnect](err)
	if !ok || !errors.Is(err, httpwire.ErrDisconnected) {
		x.t.Errorf("Emit: %v (%T), want a *Disconnect", err, err)
		return
	}
	if other := receive(x.t, x.calls, "OnDisconnect's callback"); other != d {
		x.t.Errorf("Emit's Disconnect is %v, OnDisconnect's %v", d, other)
	}
	if again := e.emit("again"); again != err {
		x.t.Errorf("the next Emit: %v, want the same error", again)
	}
	receive(x.t, e.done, "Done")
}

func receive[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case v = <-c:
	case <-timer.C:
		t.Errorf("waited %v for %s", bound, what)
	}
	return v
}
