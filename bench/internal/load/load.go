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

	// Late says that it begins anew for each batch of requests, when they are inside their calls: all that it is to
	// be in the way of is what comes behind the close.
	Late bool

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
	Idle = Load{Name: "idle", About: "nothing else", Start: func(context.Context, Host) (func(), error) { return func() {}, nil }}

	Busy4  = Load{Name: "4 busy goroutines a core", About: "Go code that computes, 4 goroutines a core", Late: true, Start: busy(4, compute)}
	Busy16 = Load{Name: "16 busy goroutines a core", About: "Go code that computes, 16 goroutines a core", Late: true, Start: busy(16, compute)}
	Spare4 = Load{
		Name: "4 busy goroutines a core, spare Ps", About: "the same with GOMAXPROCS at six times the cores: two Ps a core more than goroutines that compute",
		Late: true, Start: multiply(6, busy(4, compute)),
	}
	Bounded4 = Load{
		Name: "4 busy goroutines a core, bounded", About: "the same, no more of them computing at a time than there are cores, by a semaphore, and GOMAXPROCS at twice the cores",
		Late: true, Start: multiply(2, bounded(4, computeAWhile)),
	}
	Bounded16 = Load{Name: "16 busy goroutines a core, bounded", About: "the same with 16", Late: true, Start: multiply(2, bounded(16, computeAWhile))}

	InC    = Load{Name: "every P in C", About: "C code that computes, a call a core", Start: busy(1, computeInC)}
	GC     = Load{Name: "GC pressure", About: "a goroutine a core that allocates, on 64 MB of live heap", Start: busy(1, allocate)}
	Flight = Load{Name: "10,000 calls in flight", About: "10,000 requests of HTTP/1.1 in native.DoIn: 500 inside C, the others queued", Start: inFlight(10_000, 500)}
)

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

// bounded is busy with goroutines that work in turns, as many at a time as there are cores.
func bounded(perCore int, work func(over *atomic.Bool)) func(context.Context, Host) (func(), error) {
	return func(ctx context.Context, h Host) (func(), error) {
		places := make(chan struct{}, runtime.GOMAXPROCS(0))
		return busy(perCore, func(over *atomic.Bool) {
			for !over.Load() {
				places <- struct{}{}
				work(over)
				<-places
			}
		})(ctx, h)
	}
}

// multiply multiplies GOMAXPROCS. As many goroutines a core are busy as without.
func multiply(times int, start func(context.Context, Host) (func(), error)) func(context.Context, Host) (func(), error) {
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

// computeAWhile computes for a millisecond.
func computeAWhile(over *atomic.Bool) {
	for end := time.Now().Add(time.Millisecond); !over.Load() && time.Now().Before(end); {
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
