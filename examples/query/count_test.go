//go:build cgo

package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/servetest"
	"github.com/hangup-go/hangup/native"
)

// How many requests are under way at once; as many connections to SQLite, so
// that every one is in C.
const atOnce = 4

// C2, C3, N3, H3 and no callback outlives its handler, by numbers: requests that complete fire
// no callback; clients that leave in the middle stop their call and fire one;
// nothing is left behind. The numbers are set by -hangup.requests.
func TestHangUp_counts(t *testing.T) {
	for _, p := range []client.Protocol{client.HTTP1, client.HTTP2, client.HTTP3} {
		t.Run(p.Name, func(t *testing.T) {
			goroutines, flags, before := runtime.NumGoroutine(), cancel.FlagsInUse(), native.ReadStats()
			requests, hangUps := *requestsFlag, max(1, *requestsFlag/10)
			f := start(t, "-conns", strconv.Itoa(atOnce))
			c, stop := servetest.Dial(t, f.Sockets, p)
			k := &counter{f, c}

			k.complete(t, requests)
			if n := f.Calls(); n.CallbacksFired != 0 || servetest.Total(n.Disconnects) != 0 {
				t.Errorf("after %d completions: %+v", requests, n)
			}
			k.hangUp(t, hangUps)

			server, events := f.Server, f.Events
			stop()
			f.end(t) // every handler, call and callback has ended
			for i := range hangUps {
				if n := events.Callbacks(hangUpID(i)); n != 1 {
					t.Errorf("hang-up %d: %d callbacks", i, n)
				}
			}
			n := server.Calls()
			if n.CallbacksFired != uint64(hangUps) || servetest.Total(n.Disconnects) != uint64(hangUps) {
				t.Errorf("after %d hang-ups: %+v", hangUps, n)
			}
			s := native.ReadStats()
			if s.Running != 0 || s.Started-before.Started != uint64(requests+hangUps) || s.Cancelled-before.Cancelled != uint64(hangUps) ||
				s.Completed-before.Completed != uint64(requests) || s.CompletedDespiteCancel != before.CompletedDespiteCancel {
				t.Errorf("native calls before: %+v\nafter: %+v", before, s)
			}
			if n := cancel.FlagsInUse() - flags; n != 0 {
				t.Errorf("%d flag slots left behind", n)
			}
			servetest.Until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+native.ReadStats().Workers })
			t.Logf("%d completed, %d hung up on: %v", requests, hangUps, n.Disconnects)
		})
	}
}

type counter struct {
	*fixture
	*servetest.Conn
}

// complete makes n requests that nobody hangs up on.
func (k *counter) complete(t *testing.T, n int) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for range n {
		if t.Failed() {
			break // the others would fail one by one, each after its patience
		}
		g.Go(func() error {
			ctx, stop := context.WithTimeout(t.Context(), servetest.Patience)
			defer stop()
			if e := k.Do(ctx, "GET", "/query?sql=SELECT+1", nil, ""); e.Err != nil || e.Status != 200 {
				t.Errorf("a normal request: %+v", e)
			}
			return nil
		})
	}
	_ = g.Wait()
	// The client has its answer a little before the handler returns.
	servetest.Until(t, "the handlers to return", func() bool { return k.Inside() == 0 })
}

// hangUp makes n requests and leaves each in the middle of its query.
func (k *counter) hangUp(t *testing.T, n int) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range n {
		if t.Failed() {
			break
		}
		g.Go(func() error {
			k.hangUpOnce(t, hangUpID(i))
			return nil
		})
	}
	_ = g.Wait()
}

func (k *counter) hangUpOnce(t *testing.T, id string) {
	call := k.Events.Expect(id)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := make(chan servetest.Exchange, 1)
	go func() { ended <- k.Do(ctx, "GET", queryPath(endlessSQL), nil, id) }()
	bound := time.NewTimer(servetest.Patience)
	defer bound.Stop()
	select {
	case <-call.Entered:
	case e := <-ended:
		t.Errorf("%s: answered: %+v", id, e)
		return
	case <-bound.C:
		t.Errorf("%s: did not enter C", id)
		return
	}
	for end := time.Now().Add(rand.N(200 * time.Microsecond)); time.Now().Before(end); {
		runtime.Gosched() // leave at any moment of the query's start
	}
	leave()
	select {
	case ret := <-call.Returned:
		if !stoppedInC(ret.Err) {
			t.Errorf("%s: C returned %v", id, ret.Err)
		}
	case <-bound.C:
		t.Errorf("%s: still runs", id)
	}
	<-ended
}

func hangUpID(i int) string { return "hang-up " + strconv.Itoa(i) }
