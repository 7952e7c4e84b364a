package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/servetest"
)

// A leaver is a client that leaves in the middle of a request.
type leaver struct {
	name  string
	path  string
	body  body
	began bool // once there is something of the answer; otherwise in the prompt
}

var leavers = []leaver{
	{"prompt", "/v1/completions", longAsk, false},
	{"prompt of a stream", "/v1/completions", longAsk.with("stream", true), false},
	{"answer", "/v1/completions", longReply, true},
	{"answer of a stream", "/v1/completions", longReply.with("stream", true), true},
	{"chat", "/v1/chat/completions", body{"messages": []body{{"role": "user", "content": "hi"}}, "stream": true}, true},
}

// leave makes a request and leaves a random time, up to late, after it got where it is to
// be left. It returns when C has returned.
func (l *leaver) leave(t testing.TB, f *servetest.Fixture, c *servetest.Conn, id string, late time.Duration) (took time.Duration) {
	t.Helper()
	call := f.Events.Expect(id)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := c.Go(ctx, "POST", l.path, l.body.String(), id)
	if l.began {
		servetest.Receive(t, call.Began, "the first token")
	} else {
		servetest.Receive(t, call.Entered, "the call to enter C")
	}
	time.Sleep(rand.N(late + 1)) // any moment will do
	left := time.Now()
	leave()
	ret := servetest.Receive(t, call.Returned, "C to return")
	if !errors.Is(ret.Err, llama.ErrAborted) {
		t.Errorf("%s: C returned %v", l.name, ret.Err)
	}
	if e := servetest.Receive(t, ended, "the client's own end"); e.Err == nil {
		t.Errorf("%s: the client got %+v", l.name, e)
	}
	return ret.At.Sub(left)
}

// The main job: the client leaves, and llama.cpp stops, in the prompt or in the answer,
// with one callback, over every protocol; what comes next on the same context is what
// a fresh one gives.
func TestHangUp_stops(t *testing.T) {
	f := start(t, "-contexts", "1")
	want := textOf(t, f.Dial(t, client.HTTP1).Must("POST", "/v1/completions", short.String()))
	for _, p := range servetest.EveryProtocol {
		for _, l := range leavers {
			t.Run(p.Name+"/"+l.name, func(t *testing.T) {
				c, before := f.Dial(t, p), f.Calls()
				l.leave(t, f, c, t.Name(), 0)
				f.MustCount(t, before, t.Name())
				if got := textOf(t, c.Must("POST", "/v1/completions", short.String())); got != want {
					t.Errorf("the next answer is %q, want %q", got, want)
				}
			})
		}
	}
}

// At random moments, while others are answered: every call stops, and no other request
// is touched. The number is set by -hangup.hangups.
func TestHangUp_random(t *testing.T) {
	f := start(t, "-contexts", "2")
	ask := func(c *servetest.Conn) string { return textOf(t, c.Must("POST", "/v1/completions", short.String())) }
	want := ask(f.Dial(t, client.HTTP1))
	done, answered := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { answered <- n }()
		c := f.Dial(t, client.HTTP2)
		for ; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			e := c.Do(t.Context(), "POST", "/v1/completions", strings.NewReader(short.String()), "")
			if got, err := textIn(e); err != nil || got != want {
				t.Errorf("a request that nobody hung up on got %+v, %v, want %q", e, err, want)
				return
			}
		}
	}()
	before := f.Calls()
	for i := range *hangUps {
		p, l := protocols[i%len(protocols)], leavers[i/len(protocols)%len(leavers)]
		c, stop := servetest.Dial(t, f.Sockets, p)
		l.leave(t, f, c, fmt.Sprint("hang-up ", i), 100*time.Millisecond)
		if got := ask(c); got != want {
			t.Errorf("after %d hang-ups the next answer is %q, want %q", i+1, got, want)
		}
		stop()
	}
	close(done)
	others := servetest.Receive(t, answered, "the other client's last answer")
	servetest.Until(t, "the handlers to return", func() bool { return f.Inside() == 0 })
	now := f.Calls()
	if n := uint64(*hangUps); servetest.Total(now.Disconnects) != n || now.Cancelled != n || now.CallbacksFired != n {
		t.Errorf("after %d hang-ups: %+v", n, now)
	}
	if got := now.Completed - before.Completed; got < uint64(*hangUps) || now.Running != 0 || now.Queued != 0 {
		t.Errorf("after %d answers beside it: %+v", others, now)
	}
	t.Logf("%d hang-ups, %d answers beside them", *hangUps, others)
}

// N1: a client that leaves while it waits in line never gets to C.
func TestHangUp_whileQueued(t *testing.T) {
	f := start(t, "-contexts", "1", "-queue", "1")
	c := f.Dial(t, client.HTTP2)
	running, waiting := f.Events.Expect("running"), f.Events.Expect("waiting")
	ctx, leave := context.WithCancel(t.Context())
	first := c.Go(ctx, "POST", "/v1/completions", longReply.String(), "running")
	servetest.Receive(t, running.Began, "the first answer to begin")
	ctx2, leave2 := context.WithCancel(t.Context())
	second := c.Go(ctx2, "POST", "/v1/completions", longReply.String(), "waiting")
	servetest.Until(t, "the second request to wait", func() bool { return c.Calls().Queued == 1 })
	if e := c.Must("POST", "/v1/completions", short.String()); e.Status != 503 || !strings.Contains(e.Body, `"type":"server_error"`) {
		t.Errorf("the third: %d %s", e.Status, e.Body)
	}
	leave2()
	servetest.Receive(t, second, "the second client's end")
	servetest.Until(t, "the second handler to return", func() bool { return f.Inside() == 1 })
	select {
	case <-waiting.Entered:
		t.Error("the second request reached C")
	default:
	}
	if n := c.Calls(); n.Queued != 0 || n.Started != 1 || n.Running != 1 {
		t.Errorf("after the second left: %+v", n)
	}
	leave()
	servetest.Receive(t, running.Returned, "the first answer to stop")
	servetest.Receive(t, first, "the first client's end")
}
