package native

import (
	"context"
	"errors"
	rtrace "runtime/trace"
	"sync"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A record makes the receipt of one traced call. It is the call's context: what is asked for
// on the way finds it there, and nothing on the way of other calls knows of it.
//
// It is written by the caller (Start, Admitted, Done), the worker (Entered, Returned) and
// callbacks (Callback). Of an abandoned call the last two may come after the caller's, so:
//
//   - call is set while the function runs, and with it the token is alive. Who holds mu and
//     finds it set may ask the token.
//   - Reclaimed comes after Done: a worker that finds Done not told leaves it to the caller.
type record struct {
	context.Context
	hooks *tracedContext // nil: for runtime/trace alone
	task  *rtrace.Task   // nil: not for runtime/trace
	inner context.Context

	mu        sync.Mutex
	at        Receipt
	call      *Call
	fn        Receipt // Outcome, Err and Panicked of the function
	abandoned bool
	told      bool // Done has been
	reclaimed bool // it was over before that
}

// newRecord returns a record for a call under ctx if it is traced, else nil.
func newRecord(ctx context.Context, p *Pool) *record {
	if _, ok := ctx.(*record); ok {
		return nil // doTraced has come back with it
	}
	hooks, _ := ctx.Value(&traceKey).(*tracedContext)
	enabled := rtrace.IsEnabled()
	if hooks == nil && !enabled {
		return nil
	}
	r := &record{Context: ctx, hooks: hooks, at: Receipt{Start: time.Now()}}
	if p != nil {
		r.at.Pool = p.Name
	}
	if r.inner = ctx; enabled {
		r.inner, r.task = rtrace.NewTask(ctx, "native call")
	}
	return r
}

// doTraced is do of a traced call.
func doTraced[T any](r *record, p *Pool, own bool, fn func(*Call) (T, error)) (v T, err error) {
	returned := false
	defer func() { r.done(err, returned) }() // after a panic and Goexit too
	defer r.region("native do").End()
	v, err = do(r, p, own, func(c *Call) (T, error) { return recordCall(r, c, fn) })
	returned = true
	return v, err
}

// inlineTraced is Inline of a traced call. No function is made of fn, so that Inline's
// callers need not allocate theirs.
func inlineTraced[T any](r *record, fn func(*Call) (T, error)) (v T, err error) {
	returned := false
	defer func() { r.done(err, returned) }()
	defer r.region("native do").End()
	v, err = inlineRecorded(r, fn)
	returned = true
	return v, err
}

func inlineRecorded[T any](r *record, fn func(*Call) (T, error)) (v T, err error) {
	c, err := enter(r, cancel.FromContext(r), false)
	if err != nil {
		return v, err
	}
	defer c.leaveInline()
	v, err = recordCall(r, c, fn)
	return v, c.outcome(err)
}

func recordCall[T any](r *record, c *Call, fn func(*Call) (T, error)) (v T, err error) {
	returned := false
	defer r.entered(c).End()
	defer func() { r.returned(c, err, returned) }()
	v, err = fn(c)
	returned = true
	return v, err
}

// admitted is called when a call under ctx has its place. The record is nil if it is not traced.
func admitted(ctx context.Context) *record {
	r, ok := ctx.(*record)
	if ok {
		r.stamp(&r.at.Admitted)
	}
	return r
}

// skipped is called on the worker for a call that was cancelled on its way there, so entered
// is not: it may be abandoned all the same, and is to be told of when it is over.
func (r *record) skipped(c *Call, err error) {
	if r != nil {
		r.mu.Lock()
		r.fn.Err = err
		r.mu.Unlock()
		c.Cleanup(r.reclaim)
	}
}

// abandoned is called when the call under ctx has been.
func abandoned(ctx context.Context) {
	if r, ok := ctx.(*record); ok {
		r.mu.Lock()
		r.abandoned = true
		r.mu.Unlock()
	}
}

// stamp writes the time, the first time.
func (r *record) stamp(t *time.Time) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.IsZero() {
		*t = now
	}
}

// recorded returns f, which records that it has started if the call is traced.
func (c *Call) recorded(f func(error)) func(error) {
	r := c.record
	if r == nil || f == nil {
		return f
	}
	return func(cause error) {
		r.stamp(&r.at.Callback)
		f(cause)
	}
}

// entered is the last before the function. The region ends on the same goroutine.
func (r *record) entered(c *Call) *rtrace.Region {
	c.record = r
	c.Flag()             // it has the time when it is set
	if c.worker != nil { // else the caller has labels of its own, and waits
		c.Cleanup(r.reclaim) // the first: it runs last
		label(r.Context)
	}
	g := r.region("native function")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.call, r.at.Entered = c, time.Now()
	return g
}

// returned is called when the function has returned, panicked or exited.
func (r *record) returned(c *Call, err error, ok bool) {
	now := time.Now()
	r.mu.Lock()
	defer func() { // also if a foreign context panics in decide
		r.call = nil
		r.mu.Unlock()
	}()
	r.fn = Receipt{Outcome: c.decide(err != nil || !ok), Err: err, Panicked: !ok}
	if r.at.Returned = now; r.fn.Outcome != Completed {
		r.look()
		if r.at.FlagSet.After(now) {
			r.at.FlagSet = now // its time is read behind the store, which C may have seen before
		}
	}
}

// look asks the token of a function that runs.
func (r *record) look() {
	r.at.Cause, r.at.FlagSet = r.call.tok.Cause(), r.call.tok.FlagSetAt()
}

// done finishes the receipt and tells of it, on the caller's goroutine.
func (r *record) done(err error, ok bool) {
	defer r.doneTold() // whatever a hook does, or the cause's methods
	at := r.finish(err, ok)
	defer r.hooks.tell(at, doneHook)
	r.log(at)
}

func (r *record) doneTold() {
	r.mu.Lock()
	r.told = true
	reclaimed := r.reclaimed
	r.mu.Unlock()
	if reclaimed {
		r.tellReclaimed()
	}
}

func (r *record) finish(err error, ok bool) Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.call != nil { // abandoned, still running
		r.look()
	}
	at := &r.at
	at.Outcome, at.Err, at.Panicked, at.Done = r.fn.Outcome, err, !ok, time.Now()
	if r.abandoned {
		at.Outcome = Abandoned
	}
	// An Error of ours: a completed call's may be that of a call inside it.
	if e, is := err.(*Error); is && at.Outcome != Completed && at.Cause == nil {
		at.Cause = e.Cause
	}
	if at.Noticed = noticed(at.Cause); !at.FlagSet.IsZero() && at.Noticed.After(at.FlagSet) {
		at.Noticed = at.FlagSet // one moment, of the thread in C that sets flags, by two clocks
	}
	return *at
}

// noticed returns when the event was noticed that cause stands for, if it says so.
func noticed(cause error) time.Time {
	var w interface{ When() time.Time }
	if errors.As(cause, &w) {
		return w.When()
	}
	return time.Time{}
}

// reclaim is the call's last clean-up.
func (r *record) reclaim(late bool) {
	if !late {
		return
	}
	r.mu.Lock()
	r.reclaimed = true
	told := r.told
	r.mu.Unlock()
	if told { // else the caller is on its way
		r.tellReclaimed()
	}
}

func (r *record) tellReclaimed() {
	r.mu.Lock()
	at := r.at
	at.Outcome, at.Err, at.Panicked = r.fn.Outcome, r.fn.Err, r.fn.Panicked
	r.mu.Unlock()
	r.hooks.tell(at, reclaimedHook)
}

// region begins a region of runtime/trace, if that is on.
func (r *record) region(name string) *rtrace.Region { return rtrace.StartRegion(r.inner, name) }

// log ends the task of runtime/trace.
func (r *record) log(at Receipt) {
	if r.task == nil {
		return
	}
	defer r.task.End()
	rtrace.Log(r.inner, "outcome", at.Outcome.String())
	if at.Cause != nil {
		rtrace.Log(r.inner, "cause", at.Cause.Error())
	}
}
