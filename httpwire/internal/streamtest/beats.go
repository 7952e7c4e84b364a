package streamtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// H5: heartbeats go out while the handler pauses, never inside an event, beside
// Emits of several goroutines, and none after the handler.
func heartbeats(t *testing.T, p Protocol) {
	const senders, each = 3, 50
	for _, made := range producers[:2] {
		t.Run(made.name, func(t *testing.T) {
			var count beatCounter
			resume := make(chan struct{})
			x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
				count.ResponseWriter = w
				e := made.must(t, &count, r, &httpwire.StreamOptions{Heartbeat: time.Millisecond})
				receive(t, resume, "the client to see a heartbeat")
				var all sync.WaitGroup
				for i := range senders {
					all.Go(func() {
						for j := range each {
							if err := e.emit(fmt.Sprintf("%d.%d\n", i, j)); err != nil {
								t.Errorf("Emit: %v", err)
								return
							}
						}
					})
				}
				all.Wait()
			})
			rsp := x.response()
			first := make([]byte, 1) // the handler has not emitted yet
			if _, err := io.ReadFull(rsp.Body, first); err != nil {
				t.Fatal(err)
			}
			close(resume)
			rest, err := io.ReadAll(rsp.Body)
			if err != nil {
				t.Fatal(err)
			}
			x.returned() // and its watch: from here on none must come
			n := count.beats.Load()
			complete(t, made, append(first, rest...), senders, each)
			time.Sleep(5 * time.Millisecond) // several intervals
			if late := count.beats.Load() - n; n == 0 || late != 0 {
				t.Errorf("%d heartbeats, and %d after the handler", n, late)
			}
		})
	}
}

// complete checks that each sender's tokens arrived, in its order.
func complete(t *testing.T, made producer, body []byte, senders, each int) {
	t.Helper()
	got, err := made.parse(body)
	if err != nil || len(got) != senders*each {
		t.Fatalf("%d tokens, %v, want %d", len(got), err, senders*each)
	}
	next := make([]int, senders)
	for _, tok := range got {
		var i, j int
		if _, err := fmt.Sscanf(tok, "%d.%d", &i, &j); err != nil || j != next[i] {
			t.Fatalf("token %q (%v), want number %d of sender %d", tok, err, next[i], i)
		}
		next[i]++
	}
}

// A beatCounter counts the heartbeats.
type beatCounter struct {
	http.ResponseWriter
	beats atomic.Int32
}

func (c *beatCounter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *beatCounter) Write(b []byte) (int, error) {
	if bytes.Equal(b, []byte(":\n\n")) || len(b) == 1 {
		c.beats.Add(1)
	}
	return c.ResponseWriter.Write(b)
}
