//go:build cgo && linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

func BenchmarkLatency(b *testing.B) {
	for _, busy := range []int{0, 1, 4} {
		for _, proto := range protocols {
			b.Run(fmt.Sprintf("busy=%d/%s", busy, proto.name), func(b *testing.B) { latency(b, proto.name, busy) })
		}
	}
}

// quiet is long enough for a server's threads to fall asleep.
var quiet = 2 * time.Millisecond

// round is how many aborts the two servers take in turns. Between rounds the
// monitor ends, and is no help or hindrance to the plain server.
const round = 50

func latency(b *testing.B, proto string, busy int) {
	if q := os.Getenv("QUIET"); q != "" {
		quiet, _ = time.ParseDuration(q)
	}
	plain, watched := newTimed(b, false), newTimed(b, true)
	c := newClient(b)
	defer keepBusy(busy)()
	var ctx, done, flag []time.Duration
	for len(ctx) < b.N {
		for range round {
			d, _ := plain.abort(c, proto)
			ctx = append(ctx, d)
		}
		time.Sleep(50 * time.Millisecond)
		for range round {
			d, f := watched.abort(c, proto)
			done, flag = append(done, d), append(flag, f)
		}
		time.Sleep(50 * time.Millisecond)
	}
	report(b, "ctx", ctx)
	report(b, "done", done)
	report(b, "flag", flag)
	b.ReportMetric(float64(median(flag))/float64(median(ctx)), "flag/ctx")
	b.ReportMetric(0, "ns/op") // the whole exchange: not what is measured
	load, _ := os.ReadFile("/proc/loadavg")
	b.Logf("load %s", load)
}

// keepBusy starts n goroutines that do nothing, all the time.
func keepBusy(n int) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	for range n {
		go func() {
			for i := 0; ; i++ {
				if i%1000 == 0 && ctx.Err() != nil {
					return
				}
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
		at := took[int(q*float64(len(took)-1))]
		fmt.Fprintf(&s, "  p%g %.1f", q*100, float64(at)/1e3)
	}
	b.Logf("%-5s %s µs", what, s.String())
	b.ReportMetric(float64(median(took))/1e3, what+"-µs")
}

// A timed server says when its handler noticed that the client left.
type timed struct {
	*server
	b      *testing.B
	inside chan struct{}
	left   chan [2]int64 // Done has returned, the flag was set; by clock
}

func newTimed(b *testing.B, configured bool) *timed {
	t := &timed{b: b, inside: make(chan struct{}), left: make(chan [2]int64)}
	offset := clockOffset()
	t.server = newServer(b, configured, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if tok := cancel.FromContext(ctx); tok != nil {
			tok.Flag()
		}
		t.inside <- struct{}{}
		<-ctx.Done()
		noticed := [2]int64{clock(), 0}
		if d, ok := errors.AsType[*httpwire.Disconnect](context.Cause(ctx)); ok {
			noticed[1] = int64(d.Time.Sub(epoch)) + offset
		}
		t.left <- noticed
	}))
	return t
}

var epoch = time.Now()

// clockOffset is the clock at epoch.
func clockOffset() int64 {
	best, offset := int64(1<<62), int64(0)
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

func (t *timed) abort(c *client, proto string) (done, flag time.Duration) {
	c.send(command{proto, map[string]string{"HTTP1": t.clear, "HTTP2": t.tls, "HTTP3": t.quic}[proto], quiet})
	within(t.b, "the handler", t.inside)
	c.send(struct{}{})
	noticed := within(t.b, "the hang-up to be noticed", t.left)
	var left int64
	c.receive(&left)
	return time.Duration(noticed[0] - left), time.Duration(noticed[1] - left)
}
