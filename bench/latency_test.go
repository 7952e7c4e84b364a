//go:build cgo && linux

package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// BenchmarkLatency reports the time from the client's leaving, another process's,
//
//   - flag: to a C call having seen its flag set, under httpwire and native.Do;
//   - watched: to a handler having come back from <-r.Context().Done(), under httpwire;
//   - ctx: the same without anything of ours;
//   - ctx-flag: to a C call having seen a flag that is set then, as people do today.
//
// Handlers either wait (flag is then Disconnect.Time: nobody looks) or have a C call running, one per request: it competes with
// the threads that wake up for the two processors that a small machine has.
func BenchmarkLatency(b *testing.B) {
	for _, work := range []struct {
		name string
		busy int // goroutines that compute all the time
		call bool
	}{{"waiting", 0, false}, {"calling", 0, true}, {"busy1", 1, false}, {"busy4", 4, false}} {
		for _, proto := range protocols {
			b.Run(work.name+"/"+proto.name, func(b *testing.B) {
				defer keepBusy(work.busy)()
				latency(b, proto.name, work.call)
			})
		}
	}
}

const (
	// quiet is long enough for a server's threads to fall asleep.
	quiet = 2 * time.Millisecond
	// round is how many aborts the two servers take in turns. Between rounds the
	// monitor ends, and is no help or hindrance to the plain server.
	round = 50
	pause = 50 * time.Millisecond
)

func latency(b *testing.B, proto string, call bool) {
	plain, watched := newTimed(b, false, call), newTimed(b, true, call)
	c := newClient(b)
	var ctx, later, done, flag []time.Duration
	for len(ctx) < b.N {
		for range round {
			d, f := plain.abort(c, proto)
			ctx, later = append(ctx, d), append(later, f)
		}
		time.Sleep(pause)
		for range round {
			d, f := watched.abort(c, proto)
			done, flag = append(done, d), append(flag, f)
		}
		time.Sleep(pause)
	}
	report(b, "ctx", ctx)
	if call {
		report(b, "ctx-flag", later)
	}
	report(b, "watched", done)
	report(b, "flag", flag)
	b.ReportMetric(float64(median(flag))/float64(median(ctx)), "flag/ctx")
	b.ReportMetric(float64(median(done))/float64(median(ctx)), "watched/ctx")
	b.ReportMetric(0, "ns/op") // the whole exchange: not what is measured
	b.Log("load ", load())
}

func load() string {
	load, _ := os.ReadFile("/proc/loadavg")
	return strings.TrimSpace(string(load))
}

// keepBusy starts n goroutines that compute until stop.
func keepBusy(n int) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	for range n {
		go func() {
			for i := 0; i%1000 != 0 || ctx.Err() == nil; i++ {
			}
		}()
	}
	return stop
}

func median(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

func report(b *testing.B, what string, took []time.Duration) {
	slices.Sort(took)
	var s strings.Builder
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99, 1} {
		fmt.Fprintf(&s, "  p%g %.1f", q*100, float64(took[int(q*float64(len(took)-1))])/1e3)
	}
	b.Logf("%-8s %s µs", what, s.String())
	b.ReportMetric(float64(median(took))/1e3, what+"-µs")
}

// A timed server says when it noticed that the client left.
type timed struct {
	*server
	b      *testing.B
	offset int64 // of clock at epoch
	inside chan struct{}
	left   chan moments
}

// moments are by clock.
type moments struct{ done, flag int64 }

func newTimed(b *testing.B, configured, call bool) *timed {
	t := &timed{b: b, inside: make(chan struct{}), left: make(chan moments), offset: clockOffset()}
	handler := t.wait
	switch {
	case call && configured:
		handler = t.callWatched
	case call:
		handler = t.callPlain
	}
	t.server = newServer(b, configured, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.left <- handler(r.Context())
	}))
	return t
}

func (t *timed) wait(ctx context.Context) (m moments) {
	if tok := cancel.FromContext(ctx); tok != nil {
		tok.Flag() // as if there were a call
	}
	t.inside <- struct{}{}
	<-ctx.Done()
	m.done = clock()
	if d, ok := context.Cause(ctx).(*httpwire.Disconnect); ok {
		m.flag = int64(d.Time.Sub(epoch)) + t.offset
	}
	return m
}

// callPlain is what people write today.
func (t *timed) callPlain(ctx context.Context) (m moments) {
	var flag cancel.Token
	defer flag.Close()
	p := flag.Flag().Pointer()
	returned := make(chan int64)
	go func() { returned <- t.see(p) }()
	<-ctx.Done()
	m.done = clock()
	flag.Cancel(nil)
	m.flag = <-returned
	return m
}

func (t *timed) callWatched(ctx context.Context) (m moments) {
	done := make(chan int64)
	go func() { <-ctx.Done(); done <- clock() }()
	native.Do(ctx, func(c *native.Call) (int, error) {
		m.flag = t.see(c.Flag().Pointer())
		return 0, nil
	})
	m.done = <-done
	return m
}

// see returns when C saw the word at p set.
func (t *timed) see(p unsafe.Pointer) int64 {
	in := new(nativetest.Inside)
	go func() { in.Wait(); t.inside <- struct{}{} }()
	return nativetest.Seen(p, time.Minute, in)
}

var epoch = time.Now()

// clockOffset is the clock at epoch.
func clockOffset() (offset int64) {
	best := int64(1 << 62)
	for range 1000 {
		before := clock()
		now := int64(time.Since(epoch))
		after := clock()
		if after-before < best {
			best, offset = after-before, (before+after)/2-now
		}
	}
	return offset
}

// abort makes the client send a request, and leave it when its handler runs.
func (t *timed) abort(c *client, proto string) (done, flag time.Duration) {
	addr := map[string]string{"HTTP1": t.clear, "HTTP2": t.tls, "HTTP3": t.quic}[proto]
	c.send(command{Proto: proto, Addr: addr, Quiet: quiet})
	within(t.b, "the handler", t.inside)
	c.send(struct{}{})
	m := within(t.b, "the hang-up to be noticed", t.left)
	var left int64
	c.receive(&left)
	return time.Duration(m.done - left), time.Duration(m.flag - left)
}
