// Package contender has the ways to stop a native call that are measured: hangup's own, and what people
// write today. Each is written once, and is run in three ways: to see when things happen, to see what it
// costs, and to see what is burnt.
package contender

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/bench/internal/clock"
	"github.com/hangup-go/hangup/bench/internal/engine"
)

// A Mode is what the native code does.
type Mode int

// The modes.
const (
	Sleeps   Mode = iota // it sleeps until it is cancelled, or for the Limit, and says when it came to what
	Computes             // the same, computing
	Looks                // it looks once whether it is cancelled, and returns
)

// PollEvery is how often native code looks that polls and sleeps in between.
const PollEvery = time.Millisecond

// A Call is one call of the native engine, and what became of it. It may be used again after Reset.
type Call struct {
	Mode  Mode
	Limit time.Duration
	Word  engine.Word // the engine's own, which its cancel function sets

	Marks   engine.Marks
	stamps  [stages]atomic.Int64
	fired   atomic.Int32
	pending sync.WaitGroup // goroutines that outlive the contender's function

	cancelCause func(error) // cancel: made once, so that a contender that registers it pays for nothing else
}

// A Stage is what Go comes to on the way back; C's are in Marks. Times are by package clock.
type Stage int

// The stages.
const (
	FlagSet   Stage = iota // C could see that it is cancelled
	Returned               // the native function had returned
	Done                   // the contender's function had: Do, where it is that
	HandlerIn              // the handler began
	stages
)

// errStopped is what a native function returns that was cancelled.
var errStopped = errors.New("stopped")

// NewCall returns a Call with a word of its own. Free frees that.
func NewCall(m Mode, limit time.Duration) *Call {
	c := &Call{Mode: m, Limit: limit, Word: engine.NewWord()}
	c.cancelCause = func(error) { c.cancel() }
	return c
}

// Free frees the call, when nothing of it runs any more.
func (c *Call) Free() {
	c.Join()
	c.Word.Free()
}

// Join returns when nothing of the call runs any more: what was left behind inside C ends when somebody
// sets the Word.
func (c *Call) Join() { c.pending.Wait() }

// Reset makes the call the next one.
func (c *Call) Reset() {
	c.Word.Reset()
	c.Marks.Reset()
	for i := range c.stamps {
		c.stamps[i].Store(0)
	}
	c.fired.Store(0)
}

// Stamp says that the call has come to s, now, unless it had before.
func (c *Call) Stamp(s Stage) { c.StampAt(s, clock.Now()) }

// StampAt is Stamp for a time that is known; 0 is none.
func (c *Call) StampAt(s Stage, at int64) { c.stamps[s].CompareAndSwap(0, at) }

// At is when the call came to s, 0 if it has not.
func (c *Call) At(s Stage) int64 { return c.stamps[s].Load() }

// Fired is how often the cancel function was called.
func (c *Call) Fired() int { return int(c.fired.Load()) }

// cancel is the engine's cancel function, called by contenders.
func (c *Call) cancel() {
	at := c.Word.Cancel()
	c.fired.Add(1)
	c.StampAt(FlagSet, at)
}

// outcome is what each native function below ends with.
func (c *Call) outcome(cancelled bool) (uint64, error) {
	c.Stamp(Returned)
	if cancelled {
		return 1, errStopped
	}
	return 0, nil
}

// run is the native function that looks at flag, or sleeps on it.
func (c *Call) run(flag unsafe.Pointer) (uint64, error) {
	switch c.Mode {
	case Looks:
		return engine.Look(flag), nil
	case Computes:
		return c.outcome(engine.Poll(flag, c.pass(), c.Limit, &c.Marks))
	}
	return c.outcome(engine.Wait(flag, c.Limit, &c.Marks))
}

// poll is run for code that looks now and then.
func (c *Call) poll(flag unsafe.Pointer) (uint64, error) {
	if c.Mode != Sleeps {
		return c.run(flag)
	}
	return c.outcome(engine.Poll(flag, c.pass(), c.Limit, &c.Marks))
}

// callback is the native function that calls a C function to hear whether it is cancelled.
func (c *Call) callback(poll, user unsafe.Pointer) (uint64, error) {
	return c.outcome(engine.Callback(poll, user, c.pass(), c.limit(), &c.Marks))
}

// goCallback is the native function that calls a Go function.
func (c *Call) goCallback(stop func() bool) (uint64, error) {
	return c.outcome(engine.GoCallback(stop, c.pass(), c.limit(), &c.Marks))
}

func (c *Call) pass() engine.Pass {
	if c.Mode == Sleeps {
		return engine.Pass{Every: PollEvery}
	}
	return engine.Pass{Every: 10 * time.Microsecond, Computes: true}
}

func (c *Call) limit() time.Duration {
	if c.Mode == Looks {
		return 0 // looks once
	}
	return c.Limit
}

// own is run on the call's own word: the engine with a cancel function.
func (c *Call) own() (uint64, error) { return c.run(c.Word.Pointer()) }

// A Contender is a way to call native code under a request's context.
type Contender struct {
	Name  string
	About string
	Ours  bool // it runs on a server of httpwire's
	Polls bool // C looks once in PollEvery where it sleeps: half of that passes before it sees
	NoC   bool // it is about the notice alone: there is no native code where that would sleep
	Blind bool // it can't stop C: what it leaves behind runs to its end

	// New binds the contender to a call. The function it returns makes the call, as often as it is
	// called, one after the other.
	New func(c *Call) func(ctx context.Context)
}

// ByName returns the contender of the tables that has the name.
func ByName(name string) (Contender, bool) {
	for _, table := range [][]Contender{Ways, Rivals, Careless} {
		for _, c := range table {
			if c.Name == name {
				return c, true
			}
		}
	}
	return Contender{}, false
}
