package native

import (
	"context"
	"time"
)

// An Outcome says how a call ended (N2). [Error.Outcome] has it for a call that returned an error
// because of a cancel. A nil error does not tell Completed from CompletedDespiteCancel, and need
// not: the result is good; a [Receipt] does, and so do [Stats].
type Outcome int

const (
	// NotStarted: the function was not called. Its context was done, or the pool
	// full or closed.
	NotStarted Outcome = iota

	// Completed: the function returned, panicked or exited, and had not been cancelled. What
	// it returned may be an error of its own.
	Completed

	// Cancelled: the function failed (an error, a panic, Goexit) after a cancel, or after the
	// deadline of its context, which C can look at by itself.
	Cancelled

	// CompletedDespiteCancel: the function succeeded although it had been cancelled.
	CompletedDespiteCancel

	// Abandoned: Do returned ErrAbandoned, before the function did.
	Abandoned
)

var outcomeNames = [...]string{"not started", "completed", "cancelled", "completed despite cancel", "abandoned"}

func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomeNames) {
		return "unknown outcome"
	}
	return outcomeNames[o]
}

// decide says how the function ended, once, when it has: the error, the figures and the
// receipt must not differ because a cancel comes between them. failed is for the first time.
// It is called on the call's goroutine, while the call has its token.
func (c *Call) decide(failed bool) Outcome {
	if c.how == NotStarted {
		c.how = c.look(failed)
	}
	return c.how
}

func (c *Call) look(failed bool) Outcome {
	switch cancelled := c.tok.Cancelled(); {
	case !failed && cancelled:
		return CompletedDespiteCancel
	case !failed:
		return Completed
	case cancelled || c.late():
		return Cancelled
	default:
		return Completed
	}
}

// outcome makes the error of Do from what the function said. It is called before
// leave, so that a cancel which comes later can't be blamed.
func (c *Call) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case c.decide(true) == Completed:
		return err
	case c.tok.Cancelled():
		return c.cancelled(err)
	}
	// C has looked at the deadline by itself, and Go's timer is yet to come.
	cause, ctxErr := c.timeUp()
	return &Error{Cause: cause, Err: err, ctxErr: ctxErr}
}

// late reports whether a deadline has passed that C may have seen: of the call's own context or,
// beside the flag, that of the request.
func (c *Call) late() bool {
	if c.own == nil {
		return c.tok.Late()
	}
	return c.own.late()
}

// timerPatience is how long timeUp waits for a context whose deadline has passed. With every
// processor busy, timers are tens of milliseconds late. More may be a clock that was set,
// or a foreign context that shows a deadline and does not keep it.
var timerPatience = 100 * time.Millisecond

// timeUp returns the cause and the Err of a context whose deadline has passed. What
// [context.WithDeadlineCause] was given is with the timer: it can't be had before that.
func (c *Call) timeUp() (cause, ctxErr error) {
	done := c.tok.Done()
	if c.own != nil {
		done = c.own.ctx.Done()
	}
	timer := time.NewTimer(timerPatience)
	defer timer.Stop()
	select {
	case <-done:
		if c.own == nil {
			return c.tok.Cause(), c.tok.Err()
		}
		return context.Cause(c.own.ctx), c.own.ctx.Err()
	case <-timer.C:
		return context.DeadlineExceeded, context.DeadlineExceeded
	}
}
