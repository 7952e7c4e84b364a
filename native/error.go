package native

import (
	"context"
	"errors"
	"fmt"
)

// An Error is the error of a cancelled call. It matches, with [errors.Is] and
// [errors.As], the cause, what the call itself said, and [context.Canceled] or
// [context.DeadlineExceeded], whichever the context's Err returned.
type Error struct {
	Cause error // why the call was cancelled: the context's cause
	Err   error // what the call returned; nil if it was never made

	ctxErr    error // what the context's Err said
	abandoned bool
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("native: call not started: %v", e.Cause)
	}
	return fmt.Sprintf("native: call cancelled (%v): %v", e.Cause, e.Err)
}

// Outcome returns [NotStarted], [Abandoned] or [Cancelled].
func (e *Error) Outcome() Outcome {
	switch {
	case e.Err == nil:
		return NotStarted
	case e.abandoned:
		return Abandoned
	default:
		return Cancelled
	}
}

// Unwrap returns the cause and, if the call was made, its error.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Err}
}

// Is makes the error match what the context's Err said.
func (e *Error) Is(target error) bool {
	if e.ctxErr != nil {
		return target == e.ctxErr
	}
	// Not one of ours: Err says Canceled for every cause but a deadline.
	return target == context.Canceled && !errors.Is(e.Cause, context.DeadlineExceeded)
}

// An unavailableError is about this end, not about the request: who asks again later may get an
// answer. httpwire, which does not know this package, asks by the method.
type unavailableError struct{ text string }

func (e *unavailableError) Error() string     { return e.text }
func (e *unavailableError) Unavailable() bool { return true }

var errNoCgo = fmt.Errorf("native: built without cgo, set CGO_ENABLED=1 and install gcc: %w", errors.ErrUnsupported)
