// Package load keeps a machine busy while something is measured.
package load

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/bench/internal/engine"
)

// A Load is what else goes on.
type Load struct {
	Name, About string

	// Start starts it. stop ends it and returns when nothing of it is left.
	Start func(ctx context.Context, h Host) (stop func(), err error)
}

// A Host lends a load its client.
type Host interface {
	// Hold opens connections of HTTP/1.1 to addr with a request on each, until release.
	Hold(addr string, count int) (release func() error, err error)
}

// The loads.
var (
	Idle = Load{"idle", "nothing else", func(context.Context, Host) (func(), error) { return func() {}, nil }}

	Busy4  = Load{"4 busy goroutines a core", "Go code that computes, 4 goroutines a core", busy(4, compute)}
	Busy16 = Load{"16 busy goroutines a core", "Go code that computes, 16 goroutines a core", busy(16, compute)}
	Spare4 = Load{"4 busy goroutines a core, spare Ps", "the same with GOMAXPROCS at six times the cores: two Ps a core more than goroutines that compute", spare(6, busy(4, compute))}
	InC    = Load{"every P in C", "C code that computes, a call a core", busy(1, computeInC)}
	GC     = Load{"GC pressure", "a goroutine a core that allocates, on 64 MB of live heap", busy(1, allocate)}
	Flight = Load{"10,000 calls in flight", "10,000 requests of HTTP/1.1 in native.DoIn: 500 inside C, the others queued", inFlight(10_000, 500)}
)

// All are the loads.
var All = []Load{Idle, Busy4, Spare4, Busy16, InC, GC, Flight}

// busy starts so many goroutines a core.
func busy(perCore int, work func(over *atomic.Bool)) func(context.Context, Host) (func(), error) {
	return func(context.Context, Host) (func(), error) {
		var over atomic.Bool
		var wg sync.WaitGroup
		for range perCore * runtime.GOMAXPROCS(0) {
			wg.Go(func() { work(&over) })
		}
		return func() { over.Store(true); wg.Wait() }, nil
	}
}

// spare multiplies GOMAXPROCS. As many goroutines a core are busy as without.
func spare(times int, start func(context.Context, Host) (func(), error)) func(context.Context, Host) (func(), error) {
	return func(ctx context.Context, h Host) (func(), error) {
		stop, err := start(ctx, h)
		if err != nil {
			return nil, err
		}
		before := runtime.GOMAXPROCS(times * runtime.GOMAXPROCS(0))
		return func() { runtime.GOMAXPROCS(before); stop() }, nil
	}
}

func compute(over *atomic.Bool) {
	for !over.Load() {
	}
}

// computeInC makes one call after the other, each longer than it takes the scheduler to take the
// processor away.
func computeInC(over *atomic.Bool) {
	w, m := engine.NewWord(), new(engine.Marks)
	defer w.Free()
	for !over.Load() {
		engine.Poll(w.Pointer(), engine.Pass{Every: time.Microsecond, Computes: true}, 100*time.Millisecond, m)
	}
}

// A tree is what the collector has to walk.
type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func allocate(over *atomic.Bool) {
	live := grow(20) // 2 M objects of 16 bytes
	for !over.Load() {
		live.left = grow(12)
	}
	runtime.KeepAlive(live)
}
