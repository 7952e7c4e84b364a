package native

import (
	"context"
	"runtime"
)

// Do calls fn on a goroutine of its own, taken from a set of parked ones, and
// returns what fn returned once fn has returned and every callback of the call
// has ended. While fn runs, the end of ctx sets the call's flag and starts the
// call's callbacks; Do goes on waiting, as only fn knows when C has stopped.
//
// If fn succeeded, its result is returned with a nil error, even if ctx was done
// meanwhile. If fn failed on a cancelled call, the error is an [*Error] that
// matches both the context's cause and fn's error. If ctx is done beforehand, fn
// is not called and the error is an [*Error] with a nil Err. A panic in fn, or else
// in a callback, is raised again here, as a [*cancel.PanicError]; so is
// runtime.Goexit.
//
// A context of httpwire's, also with values added, is followed directly. Any other
// is followed lazily: a call that is cancelled within its first two milliseconds
// may notice that much later, an older one at once. In steady state neither
// allocates.
//
// The goroutine is used again: an fn that calls runtime.LockOSThread must undo it.
// Do is not for testing/synctest, whose clock stands still while C runs.
//
// Without cgo Do calls nothing and returns an error that matches
// [errors.ErrUnsupported].
//
// Do takes a place in the default pool, see [Pool].
func Do[T any](ctx context.Context, fn func(*Call) (T, error)) (T, error) {
	return do(ctx, &standard, false, fn)
}

// DoIn is [Do] in pool p, waiting for a place in it. Besides Do's, its errors match
// [ErrPoolFull] or [ErrPoolClosed], if fn was not called for that reason, and
// [ErrAbandoned] where that was asked for. A nil p is the default pool.
//
// It is a function, as Go's methods have no type parameters.
func DoIn[T any](ctx context.Context, p *Pool, fn func(*Call) (T, error)) (T, error) {
	return do(ctx, p, false, fn)
}

// do is DoIn of a call that, if own is set, can be cancelled alone.
func do[T any](ctx context.Context, p *Pool, own bool, fn func(*Call) (T, error)) (T, error) {
	var zero T
	if p == nil {
		p = &standard
	}
	if mayTrace() {
		if r := newRecord(ctx, p); r != nil {
			return doTraced(r, p, own, fn)
		}
	}
	c, err := p.enter(ctx, own)
	if err != nil {
		return zero, err
	}
	j := jobOf[T](c)
	j.fn = fn
	p.crew.get(p).in <- c
	if <-c.events == eventCancel {
		if err := p.waitGrace(ctx, c); err != nil {
			return zero, err // abandoned: c is the worker's
		}
	}

	v, err := j.v, j.err
	j.clear()
	pan, goexit := c.panic, c.goexit
	c.recycle()
	if pan != nil {
		panic(pan)
	}
	if goexit {
		runtime.Goexit()
	}
	return v, err
}

// A job is the function of one call and room for its result. Calls keep theirs,
// so that a program that makes calls of one type allocates none.
type job interface {
	run(*Call)
	failed() bool
	clear()
}

type typedJob[T any] struct {
	fn  func(*Call) (T, error)
	v   T
	err error
}

func (j *typedJob[T]) run(c *Call) {
	if c.tok.Cancelled() {
		j.err = c.cancelled(nil) // between enter and here
		c.record.skipped(c, j.err)
		return
	}
	v, err := j.fn(c)
	j.v, j.err = v, c.outcome(err)
}

func jobOf[T any](c *Call) *typedJob[T] {
	if j, ok := c.job.(*typedJob[T]); ok {
		return j
	}
	j := new(typedJob[T])
	c.job = j
	return j
}

func (j *typedJob[T]) failed() bool { return j.err != nil }
func (j *typedJob[T]) clear()       { *j = typedJob[T]{} }
