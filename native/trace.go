package native

import (
	"context"
	"log/slog"
	"runtime"
	rtrace "runtime/trace"
	"sync/atomic"
	"time"
)

// A Trace is told of calls: see [WithTrace]. Either function may be nil. They may be
// called from several goroutines at once, if calls are made from several. A Trace must not be
// changed once it is in use.
type Trace struct {
	// Done is called when Do, DoIn or Inline is about to return, on the caller's
	// goroutine: once for each call, also for one that was not started and for one
	// that panics. The caller waits for it; a panic of it is the caller's, and other traces are told
	// all the same.
	Done func(Receipt)

	// Reclaimed is called for a call that Do has abandoned, when it is really over: its function
	// has returned, its callbacks and clean-ups have ended. It is called after Done, on the
	// call's goroutine or, where Done was slower, on Done's. The Receipt's Outcome, Err and Panicked
	// are then about the function: Completed despite cancel, say, for a result that nobody received; or not
	// started, where the cancel had been there before it.
	Reclaimed func(Receipt)
}

// WithTrace returns a context whose calls t is told of, and those of the contexts derived
// from it. A trace that ctx has already is told as well, after t. Calls under a request's
// context share its flag, traced or not.
//
//	ctx = native.WithTrace(ctx, &native.Trace{Done: func(r native.Receipt) {
//		slog.InfoContext(ctx, "native call", "receipt", r)
//	}})
//
// A traced call of Do runs with the profiler labels of its context (runtime/pprof.Do, WithLabels), so that a
// CPU profile shows whose C code it was; others run without any. While an execution trace is taken
// (runtime/trace.Start) every call is traced: as a task "native call" with regions "native do", of the
// caller, and "native function", and the outcome logged.
//
// Where no context with a trace is left, a call pays two loads for the question. Where there
// are some, a call asks its context, as with Value.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	if t == nil {
		panic("native: WithTrace called with a nil Trace")
	}
	outer, _ := ctx.Value(&traceKey).(*tracedContext)
	c := &tracedContext{Context: ctx, trace: t, outer: outer}
	traces.Add(1)
	runtime.AddCleanup(c, func(n int64) { traces.Add(n) }, -1)
	return c
}

// traces counts contexts of WithTrace that are left: at zero, nobody has to look for one.
var traces atomic.Int64

var traceKey byte

// A tracedContext has its parent's Done channel, so calls under it find the request's token.
type tracedContext struct {
	context.Context
	trace *Trace
	outer *tracedContext // of which ctx is derived, nil if none
}

func (c *tracedContext) Value(key any) any {
	if key == &traceKey {
		return c
	}
	return c.Context.Value(key)
}

// tell calls a hook of every trace, the innermost first, also if that panics or exits.
func (c *tracedContext) tell(r Receipt, hook func(*Trace) func(Receipt)) {
	if c == nil {
		return
	}
	defer c.outer.tell(r, hook)
	if f := hook(c.trace); f != nil {
		f(r)
	}
}

func doneHook(t *Trace) func(Receipt)      { return t.Done }
func reclaimedHook(t *Trace) func(Receipt) { return t.Reclaimed }

// mayTrace is what a call pays that is not traced.
func mayTrace() bool { return traces.Load() != 0 || rtrace.IsEnabled() }

// A Receipt says what became of one call, and when (N11). Times have a monotonic reading; a
// stage that the call did not come to has the zero time.
type Receipt struct {
	Outcome  Outcome
	Err      error  // what Do returned
	Cause    error  // why the call was cancelled, or not started; nil if it was not cancelled when its function returned
	Panicked bool   // the call ends by a panic or runtime.Goexit, and not by returning Err
	Pool     string // the pool's name; empty for the default pool, and for Inline

	Start    time.Time // Do was called
	Admitted time.Time // the call had its place, if it is Do's
	Entered  time.Time // the function was called
	Noticed  time.Time // the client's end was noticed: what the cause says if it has a method When, as httpwire's Disconnect
	FlagSet  time.Time // the call's flag was set: C could see it
	Callback time.Time // the first callback of OnCancel or AddCanceller started
	Returned time.Time // the function had returned
	Done     time.Time // callbacks and clean-ups had ended, Do was about to return
}

// LogValue makes one group of the receipt for package log/slog: what is known of it, times as
// durations since Start.
func (r Receipt) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("outcome", r.Outcome.String())}
	text := func(key string, err error) {
		if err != nil {
			attrs = append(attrs, slog.String(key, err.Error()))
		}
	}
	since := func(key string, t time.Time) {
		if !t.IsZero() {
			attrs = append(attrs, slog.Duration(key, t.Sub(r.Start)))
		}
	}
	if r.Pool != "" {
		attrs = append(attrs, slog.String("pool", r.Pool))
	}
	if r.Panicked {
		attrs = append(attrs, slog.Bool("panicked", true))
	}
	text("cause", r.Cause)
	text("error", r.Err)
	since("admitted", r.Admitted)
	since("entered", r.Entered)
	since("noticed", r.Noticed)
	since("flag_set", r.FlagSet)
	since("callback", r.Callback)
	since("returned", r.Returned)
	since("done", r.Done)
	return slog.GroupValue(attrs...)
}
