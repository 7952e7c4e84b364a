package native

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/internal/goid"
)

// A Canceller is a cancel function of a library's own, for [Call.AddCanceller], and
// what is wrong with it. Such functions are called from another thread than the one
// that is inside the library, and most come in one of two kinds, each with its bug:
//
//   - Lost when early (sqlite3_interrupt, duckdb_interrupt, Z3_interrupt, PQcancel): a
//     cancel that comes before the library was entered does nothing, or the library
//     clears it as it starts. Repeat it.
//   - Sticky when late (ONNX Runtime's SetTerminate, libvips' kill, CaDiCaL's terminate,
//     GEOS_interruptRequest): one that comes when the library is done stays, and
//     stops the next call on the same handle. Reset it.
//
// One that is both has both. One that is neither, as it acts on an object which is
// made for this call alone, has none.
type Canceller struct {
	// Cancel asks the library to stop. It is called on a goroutine of its own once the
	// call is cancelled: perhaps before the library was entered, perhaps as the
	// function returns, but never after Do or Inline has.
	Cancel func(cause error)

	// Repeat calls Cancel again and again, on one goroutine, after 50 µs at first and
	// then at growing intervals of up to 10 ms, until the function has returned.
	Repeat bool

	// Reset takes back a Cancel that was not heard. It is called once, on the call's
	// goroutine, if Cancel was called, also if that panicked: when the function has returned,
	// panicked or exited and every callback of the call has ended, before its
	// clean-ups and before Do or Inline returns. If Do has abandoned the
	// call, it is called all the same when the function returns.
	// A panic of it reaches the caller of Do, and a runtime.Goexit ends the caller's goroutine,
	// when the rest of the call has ended.
	Reset func()
}

// AddCanceller makes k the way to stop the call, or one of several. It returns at once; if
// the call has been cancelled already, k.Cancel is called at once, on a goroutine
// of its own. Do and Inline wait for a Cancel that runs when the function has
// returned. Only one call at a time may be inside what k.Cancel acts on, as
// no library can tell which one was meant.
//
// The returned stop ends all that earlier, for a function that gives the handle back or
// frees it before it returns: when stop returns, Cancel is not running and never
// will, and what stuck is reset. To be called when the library has returned. It may be
// called more than once; called by Cancel itself it only ends the repetition, and by Reset it does nothing.
// A panic of Cancel or Reset reaches the caller of stop, or else the caller of Do.
func (c *Call) AddCanceller(k Canceller) (stop func()) {
	if k.Cancel == nil {
		panic("native: AddCanceller called with a nil Cancel")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.token()
	c.more.Store(true)
	k.Cancel = c.recorded(k.Cancel)
	a := &canceller{Canceller: k, ending: make(chan struct{})}
	a.Registration = t.OnCancel(a.run)
	c.callbacks = append(c.callbacks, callback{Registration: a.Registration, canceller: a})
	return a.stop
}

// A callback is one registered with a call.
type callback struct {
	cancel.Registration
	canceller *canceller // nil: an OnCancel
	ours      bool       // not the user's: it is not counted
}

// A canceller is one that was added to a call:
//
//	added -> running   the cancel, on the callback's goroutine; or never
//	      -> ending    the function has returned, or stop was called: end
//	      -> joined    the callback has ended: StopAndWait
//	      -> reset     if Cancel was called
//
// Who else can be there: the cancel starts run at any time up to the join, also after
// end. It looks at ending before each Cancel, so none begins after end; one that
// runs is waited for. landed is written by run as it ends, so before the join
// of whoever reads it, with one exception: Cancel itself calls stop. Its join
// does not wait, landed is still false, and the reset is left to the end of the call:
// the library is inside, and a reset now would take its cancel away.
type canceller struct {
	Canceller
	cancel.Registration
	once   sync.Once
	ending chan struct{} // closed by end
	landed bool          // Cancel was called, and run has ended
	undone sync.Once
	inside atomic.Uint64 // the goroutine that is in Reset
}

func (a *canceller) run(cause error) {
	called := false
	defer func() { a.landed = called }() // after a panic and Goexit too
	repeatUntil(a.ending, func() (again bool) {
		called = true
		a.Cancel(cause)
		return a.Repeat
	})
}

func (a *canceller) end() { a.once.Do(func() { close(a.ending) }) }

func (a *canceller) stop() {
	a.end()
	defer a.reset() // after a panic of Cancel too
	a.StopAndWait()
}

// reset comes after the join. Reset itself may come by here, when it calls stop: then it
// is at it already.
func (a *canceller) reset() {
	if !a.landed || a.Reset == nil {
		return
	}
	me := goid.Get()
	if a.inside.Load() == me {
		return
	}
	a.undone.Do(func() {
		a.inside.Store(me)
		defer a.inside.Store(0)
		a.Reset()
	})
}

// end is the end of a callback that has started, if it has. Of a canceller that was
// added the reset is left to resetAll.
func (c *Call) end(cb callback) {
	if a := cb.canceller; a != nil {
		c.joined = append(c.joined, a)
		a.end()
	}
	cb.StopAndWait()
}

// resetAll resets what was joined, when nothing is left that could cancel again, and adds
// the first panic to p. A Reset may register callbacks as well: the caller looks again.
func (c *Call) resetAll(p *cancel.PanicError) *cancel.PanicError {
	exits := true
	defer func() { c.keep(p, exits) }()
	for len(c.joined) > 0 {
		a := c.joined[0]
		c.joined = c.joined[1:] // now: should it exit, the next one is the first
		p = first(p, caught(func(bool) { a.reset() }, false))
	}
	c.joined = nil
	exits = false
	return p
}

// repeatUntil calls f at growing intervals until it says no or there is something
// to receive from ending.
func repeatUntil(ending <-chan struct{}, f func() (again bool)) {
	pause := 50 * time.Microsecond
	for {
		select {
		case <-ending: // before the first time, and when both were ready below
			return
		default:
		}
		if !f() {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-ending:
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, 10*time.Millisecond)
	}
}
