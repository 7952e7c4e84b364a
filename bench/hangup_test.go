//go:build cgo

package bench

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// BenchmarkHangup reports the time from the client's hang-up, for each protocol,
// on a request without a body, which net/http notices as well:
//
//   - native: to a C call that polls its flag having returned, under httpwire
//     and native.Do; the call keeps one processor busy;
//   - watched: to a handler having come back from <-r.Context().Done(), under
//     httpwire;
//   - ctx: the same without anything of ours.
func BenchmarkHangup(b *testing.B) {
	for _, proto := range protocols {
		b.Run(proto.name, func(b *testing.B) {
			b.Run("native", func(b *testing.B) { hangUps(b, proto, true, callNative) })
			b.Run("watched", func(b *testing.B) { hangUps(b, proto, true, waitContext) })
			b.Run("ctx", func(b *testing.B) { hangUps(b, proto, false, waitContext) })
		})
	}
}

// A stage is what a handler does until its client has left. It says when it is
// ready and returns when it noticed.
type stage func(ctx context.Context, ready func()) time.Time

func callNative(ctx context.Context, ready func()) time.Time {
	var returned time.Time
	native.Do(ctx, func(c *native.Call) (int, error) {
		in := new(nativetest.Inside)
		go func() { in.Wait(); ready() }()
		err := nativetest.Spin(c.Flag().Pointer(), time.Minute, in)
		returned = time.Now()
		return 0, err
	})
	return returned
}

func waitContext(ctx context.Context, ready func()) time.Time {
	ready()
	<-ctx.Done()
	return time.Now()
}

func hangUps(b *testing.B, proto protocol, configured bool, run stage) {
	inside, noticed := make(chan struct{}, 1), make(chan time.Time, 1)
	s := newServer(b, configured, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		noticed <- run(r.Context(), func() { inside <- struct{}{} })
	}))
	var took []time.Duration
	for b.Loop() {
		hangUp := proto.request(b, s)
		within(b, "the handler", inside)
		left := time.Now()
		hangUp()
		took = append(took, within(b, "the hang-up to be noticed", noticed).Sub(left))
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))]) / float64(time.Microsecond)
	}
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(at(1), "max-µs")
	b.ReportMetric(0, "ns/op") // the whole exchange: not what is measured
}

// BenchmarkRequest is a request that nobody aborts: what Configure costs it.
func BenchmarkRequest(b *testing.B) {
	for _, proto := range protocols {
		b.Run(proto.name, func(b *testing.B) {
			for name, configured := range map[string]bool{"plain": false, "configured": true} {
				b.Run(name, func(b *testing.B) {
					s := newServer(b, configured, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.WriteHeader(http.StatusNoContent)
					}))
					get := proto.client(b, s)
					b.ReportAllocs()
					for b.Loop() {
						get()
					}
				})
			}
		})
	}
}

func within[T any](b *testing.B, what string, ch <-chan T) T {
	b.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		b.Fatalf("waited for %s", what)
		panic("unreachable")
	}
}
