package streamtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

var scenarios = []struct {
	name string
	run  func(t *testing.T, p Protocol, made producer)
}{
	{"full", full},
	{"leaves while sending", leavesSending},
	{"leaves while paused", leavesPaused},
	{"leaves while blocked", leavesBlocked},
	{"leaves before the first byte", leavesFirst},
	{"returns without an Emit", leavesUnsaid},
	{"send timeout", sendTimeout},
	{"send timeout in time", inTime},
	{"panic", panics},
	{"HEAD", head},
	{"no Flush", noFlush},
}

// large does not fit into what a client that does not read takes.
var large = strings.Repeat("0123456789abcdef", 4<<10)

// H5: what is emitted arrives, as a complete response with a sound header.
func full(t *testing.T, p Protocol, made producer) {
	want := []string{"a", "", "line\nbreak", " space", "ü€", large}
	if made.name == "chunks" {
		want = []string{"a", "b", large}
	}
	x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
		e := made.must(t, w, r, nil)
		for _, tok := range want {
			if err := e.emit(tok); err != nil {
				t.Errorf("Emit: %v", err)
			}
		}
	})
	rsp := x.response()
	b, err := io.ReadAll(rsp.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	x.returned()
	got, err := made.parse(b)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %.200q, %v, want %.200q", got, err, want)
	}
	for k, v := range map[string]string{
		"Content-Type": made.contentType, "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no",
	} {
		if rsp.Header.Get(k) != v {
			t.Errorf("%s: %q, want %q", k, rsp.Header.Get(k), v)
		}
	}
	if rsp.Uncompressed || rsp.Header.Get("Content-Encoding") != "" || rsp.ContentLength >= 0 {
		t.Errorf("encoding %q, length %d, want neither", rsp.Header.Get("Content-Encoding"), rsp.ContentLength)
	}
}

func (p producer) must(t *testing.T, w http.ResponseWriter, r *http.Request, o *httpwire.StreamOptions) emitter {
	e, err := p.open(w, r, o)
	if err != nil {
		t.Errorf("no stream: %v", err)
		panic(http.ErrAbortHandler)
	}
	return e
}

// H5: a client that leaves while the handler sends ends the sending.
func leavesSending(t *testing.T, p Protocol, made producer) {
	var x *exchange
	ready := make(chan struct{})
	x = start(t, p, func(w http.ResponseWriter, r *http.Request) {
		<-ready
		e := made.must(t, w, r, nil)
		var err error
		for err == nil {
			err = e.emit("token")
		}
		x.left(e, err)
	})
	close(ready)
	if _, err := io.ReadFull(x.response().Body, make([]byte, 100)); err != nil {
		t.Fatalf("body: %v", err)
	}
	x.leave()
	x.returned()
}

// H5: a producer that waits for its next token is woken.
func leavesPaused(t *testing.T, p Protocol, made producer) {
	ready := make(chan struct{})
	var x *exchange
	x = start(t, p, func(w http.ResponseWriter, r *http.Request) {
		<-ready
		e := made.must(t, w, r, nil)
		if err := e.emit("token"); err != nil {
			t.Errorf("Emit: %v", err)
		}
		receive(t, e.done, "Done")
		x.left(e, e.emit("late"))
	})
	close(ready)
	if _, err := io.ReadFull(x.response().Body, make([]byte, 5)); err != nil {
		t.Fatalf("body: %v", err)
	}
	x.leave()
	x.returned()
}

// H5: an Emit that waits for a client to read ends when the client leaves instead.
func leavesBlocked(t *testing.T, p Protocol, made producer) {
	var sent atomic.Int64
	ready := make(chan struct{})
	var x *exchange
	x = start(t, p, func(w http.ResponseWriter, r *http.Request) {
		<-ready
		e := made.must(t, opaque{w}, r, nil)
		err := e.emit(large)
		for ; err == nil; err = e.emit(large) {
			sent.Add(1)
		}
		x.left(e, err)
	})
	close(ready)
	x.response()
	Blocked(t, &sent)
	x.leave()
	x.returned()
}

// opaque is what middleware often puts around a ResponseWriter: it can flush, and can't be
// unwrapped. Whatever it hides, a send that is blocked is woken.
type opaque struct{ w http.ResponseWriter }

func (o opaque) Header() http.Header         { return o.w.Header() }
func (o opaque) WriteHeader(status int)      { o.w.WriteHeader(status) }
func (o opaque) Write(b []byte) (int, error) { return o.w.Write(b) }
func (o opaque) Flush()                      { o.w.(http.Flusher).Flush() }

// H5: nothing is sent to a client that has left before the first byte.
func leavesFirst(t *testing.T, p Protocol, made producer) {
	entered := make(chan struct{})
	var x *exchange
	ready := make(chan struct{})
	x = start(t, p, func(w http.ResponseWriter, r *http.Request) {
		<-ready
		count := &counter{ResponseWriter: w}
		e := made.must(t, count, r, nil)
		close(entered)
		receive(t, e.done, "Done")
		x.left(e, e.emit("late"))
		if count.n != 0 {
			t.Errorf("%d writes to a client that has left", count.n)
		}
	})
	close(ready)
	receive(t, entered, "the handler")
	x.leave()
	x.returned()
}

type counter struct {
	http.ResponseWriter
	n int
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
func (c *counter) Write(b []byte) (int, error) {
	c.n++
	return c.ResponseWriter.Write(b)
}

// leavesUnsaid is of a handler that returns after Done without another Emit.
func leavesUnsaid(t *testing.T, p Protocol, made producer) {
	entered := make(chan struct{})
	x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
		e := made.must(t, w, r, nil)
		close(entered)
		receive(t, e.done, "Done")
	})
	receive(t, entered, "the handler")
	x.leave()
	x.returned()
	receive(t, x.calls, "OnDisconnect's callback")
}

// H3, H5: a client that stays and does not read costs one SendTimeout. It is no
// disconnect, and what the client has got does not look complete.
func sendTimeout(t *testing.T, p Protocol, made producer) {
	x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
		e := made.must(t, opaque{w}, r, &httpwire.StreamOptions{SendTimeout: 50 * time.Millisecond})
		var err error
		for err == nil {
			err = e.emit(large)
		}
		if err != httpwire.ErrSendTimeout || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, httpwire.ErrDisconnected) {
			t.Errorf("Emit: %v, want ErrSendTimeout", err)
		}
		if again := e.emit("again"); again != err {
			t.Errorf("the next Emit: %v, want the same error", again)
		}
		receive(t, e.done, "Done")
		if c := context.Cause(r.Context()); c != httpwire.ErrSendTimeout {
			t.Errorf("cause: %v, want ErrSendTimeout", c)
		}
	})
	rsp := x.response()
	x.returned()
	if n, err := io.Copy(io.Discard, rsp.Body); err == nil {
		t.Errorf("the client takes the %d bytes of a stream that was cut off for a complete response", n)
	}
	select {
	case d := <-x.calls:
		t.Errorf("the passed deadline was told as %v", d)
	default:
	}
}

// inTime is of sends that keep to the timeout, with pauses that are longer: the
// server's own deadline is untouched, and no timer is left behind.
func inTime(t *testing.T, p Protocol, made producer) {
	if made.name != "chunks" {
		return // it takes time, and is the same
	}
	const timeout = 20 * time.Millisecond
	x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
		e := made.must(t, w, r, &httpwire.StreamOptions{SendTimeout: time.Minute})
		short := made.must(t, w, r, &httpwire.StreamOptions{SendTimeout: timeout})
		for i := range 3 {
			if err := e.emit(fmt.Sprint(i)); err != nil {
				t.Errorf("Emit: %v", err)
			}
			if err := short.emit("s"); err != nil && err != httpwire.ErrSendTimeout { // a slow machine
				t.Errorf("Emit: %v", err)
			} else if err != nil {
				return
			}
			time.Sleep(2 * timeout) // the pause under test
		}
	})
	_, _ = x.body()
	x.returned()
}
