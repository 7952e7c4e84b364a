//go:build cgo && linux

package native_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// What a call pays for what it asks for, beside the same call that asks for nothing.
func BenchmarkCallWith(b *testing.B) {
	h := native.NewHandle(1, nil)
	defer h.Retire()
	p := &native.Pool{Name: b.Name()}
	defer p.Close(context.Background())
	doIn := func(ctx context.Context, fn func(*native.Call) (uint64, error)) (uint64, error) {
		return native.DoIn(ctx, p, fn)
	}
	for _, row := range []struct {
		name string
		do   func(context.Context, func(*native.Call) (uint64, error)) (uint64, error)
		fn   func(*native.Call) (uint64, error)
	}{
		{"nothing", native.Inline[uint64], read},
		{"Handle.Use", native.Inline[uint64], func(c *native.Call) (uint64, error) {
			if _, err := h.Use(c); err != nil {
				return 0, err
			}
			return read(c)
		}},
		{"Cleanup", native.Inline[uint64], func(c *native.Call) (uint64, error) {
			c.Cleanup(ignoreLate)
			return read(c)
		}},
		{"EventFD", native.Inline[uint64], func(c *native.Call) (uint64, error) {
			if _, err := c.EventFD(); err != nil {
				return 0, err
			}
			return read(c)
		}},
		{"AddCanceller", native.Inline[uint64], func(c *native.Call) (uint64, error) {
			c.AddCanceller(native.Canceller{Cancel: ignore, Repeat: true})
			return read(c)
		}},
		{"Interruptible", native.Inline[uint64], func(c *native.Call) (uint64, error) {
			return 0, c.Interruptible(func() error { _, err := read(c); return err })
		}},
		{"Do/nothing", native.Do[uint64], read},
		{"DoIn/nothing", doIn, read},
		{"DoIn/AbandonAfter", doIn, func(c *native.Call) (uint64, error) {
			c.AbandonAfter(time.Second)
			return read(c)
		}},
	} {
		b.Run(row.name, func(b *testing.B) {
			ctx := requestContext(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := row.do(ctx, row.fn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ignoreLate(bool) {}

// An eventfd is made once for each slot, and kept.
func BenchmarkEventFD_made(b *testing.B) {
	const most = 2_000 // descriptors stay open
	toks := make([]cancel.Token, most)
	for i := range toks {
		toks[i].Flag() // the slots with a descriptor first
	}
	made := 0
	start := time.Now()
	for i := range min(b.N, most) {
		if _, err := toks[i].EventFD(); err != nil {
			b.Fatal(err)
		}
		made++
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(made), "ns/op")
	for i := range toks {
		toks[i].Close()
	}
}

// A poll by C's own function pointer against one that calls into Go.
func BenchmarkPoll(b *testing.B) {
	const n = 1000
	for name, poll := range map[string]unsafe.Pointer{"C": native.PollInt(), "Go": nativetest.GoPoll()} {
		b.Run(name, func(b *testing.B) {
			p := pooledFlag(b)
			for b.Loop() {
				if nativetest.PollTimes(poll, p, n) != n {
					b.Fatal("stopped")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/poll")
		})
	}
}

// From Cancel's entry to its return, when the flag is set: an upper bound of the time to
// the flag, the clock included; idle, and with every processor busy in Go code.
func BenchmarkCancelToFlag(b *testing.B) {
	for name, busy := range map[string]int{"idle": 0, "busy": 4} {
		b.Run(name, func(b *testing.B) {
			defer keepBusy(busy * runtime.GOMAXPROCS(0))()
			var took samples
			for b.Loop() {
				var tok cancel.Token
				flag := tok.Flag()
				start := time.Now()
				tok.Cancel(nil)
				took = append(took, time.Since(start))
				if !flag.IsSet() {
					b.Fatal("not set")
				}
				tok.Close()
			}
			took.report(b)
		})
	}
}

// From the moment that C sees the flag to the return of Do, with four busy goroutines a
// processor: C's thread has to get a P back. Spare Ps (GOMAXPROCS at three times the processors) are what helps.
func BenchmarkFlagToReturn(b *testing.B) {
	procs := runtime.GOMAXPROCS(0)
	for _, row := range []struct {
		name        string
		procs, busy int
	}{
		{"idle", procs, 0}, {"busy", procs, 4 * procs}, {"busy/spare", 3 * procs, 4 * procs},
	} {
		b.Run(row.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(row.procs))
			defer keepBusy(row.busy)()
			var took samples
			for b.Loop() {
				ctx, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
				seen, err := native.Do(ctx, func(c *native.Call) (int64, error) {
					return nativetest.Seen(c.Flag().Pointer(), long, nil), nil
				})
				took = append(took, time.Duration(nativetest.Now()-seen))
				stop()
				if err != nil {
					b.Fatal(err)
				}
			}
			took.report(b)
		})
	}
}

// From Cancel to the return of C that sleeps.
func BenchmarkWake(b *testing.B) {
	for name, sleep := range map[string]func(tok *cancel.Token, in *nativetest.Inside) error{
		"futex": func(tok *cancel.Token, in *nativetest.Inside) error {
			return nativetest.Sleep(tok.Flag().Pointer(), long, in)
		},
		"eventfd": func(tok *cancel.Token, in *nativetest.Inside) error {
			fd, err := tok.EventFD()
			if err != nil {
				return err
			}
			return nativetest.PollFD(fd, long, in)
		},
	} {
		b.Run(name, func(b *testing.B) {
			var took samples
			for b.Loop() {
				var tok cancel.Token
				in := new(nativetest.Inside)
				woken := make(chan time.Time)
				go func() {
					if err := sleep(&tok, in); err != nativetest.ErrStopped {
						b.Error(err)
					}
					woken <- time.Now()
				}()
				in.Wait()
				time.Sleep(50 * time.Microsecond) // most are asleep by then; who is not is quicker
				start := time.Now()
				tok.Cancel(nil)
				took = append(took, (<-woken).Sub(start))
				tok.Close()
			}
			took.report(b)
		})
	}
}

// keepBusy computes on n goroutines that never yield, until stop is called.
func keepBusy(n int) (stop func()) {
	var over atomic.Bool
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for !over.Load() {
			}
		})
	}
	return func() { over.Store(true); wg.Wait() }
}

type samples []time.Duration

func (s samples) report(b *testing.B) {
	slices.Sort(s)
	at := func(q float64) float64 { return float64(s[int(q*float64(len(s)-1))].Nanoseconds()) / 1000 }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
	b.ReportMetric(at(0.999), "p99.9-µs")
	b.ReportMetric(0, "ns/op")
}
