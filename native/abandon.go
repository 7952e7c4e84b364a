package native

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// ErrAbandoned is matched by the error of a call that Do has left to itself: see
// [Call.AbandonAfter].
var ErrAbandoned = errors.New("abandoned, still running")

// A call that may be abandoned has one word, and its caller a channel:
//
//	running -> returned    the worker, when the function has returned and callbacks are joined
//	        -> abandoned   the caller, cancel and grace after
//
// One of the two swaps wins. Returned: the worker sends eventDone, and the caller, who
// is waiting for it whatever its timer says, takes the result and the Call.
// Abandoned: the caller touches the Call no more; nothing is sent, and the worker takes
// the late result, the clean-up, the place and the Call.
//
// eventCancel is sent by a callback of the call, so before the callbacks are
// joined, so before eventDone: the caller takes them in this order, and the
// channel is empty when the Call is used again. (A design where a timer abandons
// and sends the caller's token was wrong: the token outlived the reclaim.) The model is testdata/model/abandon.pml.
type abandon struct {
	may   bool // a callback tells the caller of the cancel
	over  bool // the worker has decided
	late  bool // and this is how: the caller has gone
	word  atomic.Uint32
	grace atomic.Int64
	cause error       // written before eventCancel is sent
	tell  func(error) // sends eventCancel; kept from call to call
}

type event int

const (
	eventDone event = iota
	eventCancel
)

const (
	stateRunning uint32 = iota
	stateReturned
	stateAbandoned
)

// decide is the worker's swap.
func (a *abandon) decide() {
	a.over = true
	a.late = a.may && !a.word.CompareAndSwap(stateRunning, stateReturned)
}

func (a *abandon) reset() {
	if a.may {
		a.word.Store(stateRunning)
		a.grace.Store(0)
		a.may, a.cause = false, nil
	}
	a.over, a.late = false, false
}

// AbandonAfter lets Do return when the call has been cancelled and grace has passed,
// though the function has not returned: with a zero result and an [*Error] that
// matches [ErrAbandoned] and the cause. Without it, or for a grace of zero or
// less, Do waits as long as it takes. Counting starts with the cancel, or here if
// that has been; then the grace can't be changed any more. Inline always waits.
//
// Abandoning stops nothing, and bounds nothing by itself: it is the pool that
// fills up with calls that do not return. Until the function returns, the call keeps its
// goroutine, its thread, its place in the pool, its flag's memory and eventfd, and its
// callbacks: one may still start after Do has returned. So whatever the function or
// its callbacks use belongs to the call until its clean-ups run (see
// [Call.Cleanup]), and is not to be freed after Do.
//
// The late result is dropped, unless a clean-up looks after it. A late panic is
// counted and logged, see [Pool]; a late runtime.Goexit just ends the call.
func (c *Call) AbandonAfter(grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.token()
	a := &c.abandon
	if c.worker == nil || a.over { // Inline, or a clean-up: the caller comes back anyway
		return
	}
	a.grace.Store(int64(grace))
	if a.may || grace <= 0 {
		return
	}
	a.may = true
	if a.tell == nil {
		a.tell = func(cause error) {
			a.cause = cause
			c.events <- eventCancel
		}
	}
	c.more.Store(true)
	c.callbacks = append(c.callbacks, callback{Registration: t.OnCancel(a.tell), ours: true})
}

// waitGrace waits for a cancelled call, and abandons it at the end of its grace.
func (p *Pool) waitGrace(ctx context.Context, c *Call) error {
	grace := time.Duration(c.abandon.grace.Load())
	if grace <= 0 { // taken back
		<-c.events
		return nil
	}
	err := c.abandoned(ctx) // c may not be ours below
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.events:
		return nil
	case <-timer.C:
	}
	if p.crew.abandon(c) {
		abandoned(ctx)
		return err
	}
	<-c.events // the worker was first: eventDone is on its way
	return nil
}

// abandoned makes the error of a call that may be left. A foreign ctx that panics does so
// once the call is over (N3).
func (c *Call) abandoned(ctx context.Context) *Error {
	asked := false
	defer func() {
		if !asked {
			<-c.events
			c.job.clear()
			c.recycle()
		}
	}()
	err := &Error{Cause: c.abandon.cause, Err: ErrAbandoned, ctxErr: ctx.Err(), abandoned: true}
	asked = true
	return err
}

// abandon is the caller's swap. The lock is for the count alone: reclaim counts
// after it.
func (s *crew) abandon(c *Call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.abandon.word.CompareAndSwap(stateRunning, stateAbandoned) {
		return false
	}
	s.counts.Abandoned++
	return true
}

// reclaim takes what is left of an abandoned call, once, on its worker; the log comes last, as it is
// foreign code, which may exit.
func (p *Pool) reclaim(c *Call, o Outcome) {
	pan, callbacks := c.panic, c.started
	c.job.clear()
	c.recycle() // before the counts: who has seen them finds nothing of the call
	p.crew.mu.Lock()
	p.crew.count(o, callbacks)
	p.crew.counts.Reclaimed++
	if pan != nil {
		p.crew.counts.LatePanics++
	}
	p.crew.mu.Unlock()
	if pan != nil {
		p.logf("native: panic in an abandoned call of %s: %v", p.title(), pan)
	}
}

// logf writes to ErrorLog. A writer that panics has nobody to tell: what it did not write
// goes to standard error, with its panic.
func (p *Pool) logf(format string, args ...any) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, format+"\nnative: and the log panicked: %v\n", append(args, v)...)
		}
	}()
	if p.ErrorLog != nil {
		p.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// Cleanup registers f to be called when the call is really over: its function has
// returned, every callback has ended, and no cancel function runs. Clean-ups run
// last in, first out, on the call's goroutine, before Do or Inline returns or, if
// Do has abandoned the call, after. late tells which: then nobody has received or
// will receive the function's result, and it is f's to dispose of.
//
// So Cleanup, and not a defer in the function or code after Do, is the place to
// free what the function's callbacks use:
//
//	out, err := native.Do(ctx, func(c *native.Call) (out *C.result, err error) {
//		job := C.job_new()
//		c.Cleanup(func(late bool) {
//			C.job_free(job)
//			if late && out != nil {
//				C.result_free(out)
//			}
//		})
//		c.AbandonAfter(5 * time.Second)
//		c.OnCancel(func(error) { C.job_cancel(job) })
//		...
//
// A panic of f reaches the caller of Do, or the log if late, and does not keep the
// other clean-ups from running; nor does a runtime.Goexit, which ends the caller's goroutine
// as one of the function does.
func (c *Call) Cleanup(f func(late bool)) {
	if f == nil {
		panic("native: Cleanup called with a nil function")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token()
	c.more.Store(true)
	c.cleanups = append(c.cleanups, f)
}

// cleanUp runs the clean-ups, those that they register as well. No callback that
// one registers runs beside the next one: and it may register clean-ups too.
func (c *Call) cleanUp() (p *cancel.PanicError) {
	exits := true
	defer func() { c.keep(p, exits) }()
	for f := c.lastCleanup(); f != nil; f = c.lastCleanup() {
		p = first(p, caught(f, c.abandon.late))
		p = first(p, c.joinCallbacks())
	}
	exits = false
	return p
}

// lastCleanup takes the last clean-up off the list.
func (c *Call) lastCleanup() (f func(late bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.cleanups); n > 0 {
		f, c.cleanups[n-1] = c.cleanups[n-1], nil
		c.cleanups = c.cleanups[:n-1]
	}
	return f
}

func caught(f func(bool), late bool) (p *cancel.PanicError) {
	defer func() {
		if v := recover(); v != nil {
			p = cancel.Recovered(v)
		}
	}()
	f(late)
	return nil
}
