package native

import (
	"context"
	"log"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A Pool bounds how many calls are inside C at a time, and so the threads that
// they occupy (N7). Calls beyond that wait in line, first come first served, holding
// neither a thread nor memory of C's; one whose context ends while it waits
// leaves the line and is never made (N1). Give one to [DoIn].
//
//	var gpu = native.Pool{Name: "gpu", Size: 4, Queue: 64}
//
// The zero Pool is ready for use. A Pool must not be copied, nor its fields
// changed, after first use. Its methods may be called from any goroutine.
//
// [Do] uses the default pool, a zero Pool that is never closed. [Inline] uses none: its calls
// are as many as the program has goroutines to block.
//
// A call must not wait for another call of the same pool, the default one
// included: where such calls have taken all places, none gets on.
//
// A program that has more threads than [debug.SetMaxThreads] allows, 10,000 if
// not set, dies; so the sizes of all pools together, and what else blocks threads,
// should stay below that.
type Pool struct {
	// Name appears in errors.
	Name string

	// Size is how many calls may have been started and not have returned. If not
	// positive, it is four fifths of the program's limit of threads at the
	// first call of any such pool.
	Size int

	// Queue is how many calls may wait for a place; more fail with
	// ErrPoolFull. If zero, there is no limit; if negative, none may wait.
	Queue int

	// Grace is what each call has as its AbandonAfter at the start. If zero, a
	// cancelled call is waited for as long as it takes.
	Grace time.Duration

	// ErrorLog is for panics of abandoned calls, which nobody waits for any
	// more. If nil, they go to the log package's standard logger.
	ErrorLog *log.Logger

	crew crew
	admission
}

// standard is the default pool.
var standard Pool

func (p *Pool) size() int64 {
	n := int64(p.Size)
	if n <= 0 {
		n = mostThreads.Load()
	}
	if n == 0 {
		n = readMostThreads()
	}
	return n
}

// mostThreads is the size of pools that have none, once known: it leaves a fifth
// of the program's threads to system calls, the runtime, Inline and other pools.
var mostThreads atomic.Int64

func readMostThreads() int64 {
	limit := debug.SetMaxThreads(math.MaxInt32) // there is no other way to read it
	debug.SetMaxThreads(limit)
	mostThreads.CompareAndSwap(0, max(int64(limit)/5*4, 1)) // pools that are in use keep their size
	return mostThreads.Load()
}

// enter makes a call of p's, once there is a place for it. Unlike a call in the
// default pool, one in a pool that can be closed has a token of its own, so that
// Close cancels it and nothing else of the same request (N4); so has one that asks for it.
func (p *Pool) enter(ctx context.Context, own bool) (c *Call, err error) {
	if !supported {
		return nil, errNoCgo
	}
	t := cancel.FromContext(ctx)
	if err := p.acquire(ctx); err != nil {
		return nil, err
	}
	r := admitted(ctx)
	if p == &standard && !own && t != nil {
		c = enterGoverned(t)
	}
	if c == nil {
		if c, err = p.enterGuarded(ctx, t, own || p != &standard); err != nil {
			return nil, err
		}
	}
	c.record = r
	if p != &standard {
		c.ctx, c.since = ctx, time.Now()
	}
	return c, nil
}

// enterGuarded gives the place back if there is no call: an error, or a panic of ctx or of its
// cause, which are foreign.
func (p *Pool) enterGuarded(ctx context.Context, t *cancel.Token, own bool) (c *Call, err error) {
	defer func() {
		if c == nil {
			p.release()
		}
	}()
	return enter(ctx, t, own)
}
