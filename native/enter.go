package native

import (
	"context"

	"github.com/hangup-go/hangup/cancel"
)

// enter admits a call under ctx. The error is for a ctx that is done: the call
// is not to be made (N1). A call with a token of its own can be cancelled alone.
func enter(ctx context.Context, own bool) (*Call, error) {
	if !supported {
		return nil, errNoCgo
	}
	t := cancel.FromContext(ctx)
	if t != nil && t.Acquire() {
		if t.Cancelled() {
			t.Release()
			return nil, &Error{Cause: t.Cause(), ctxErr: t.Err()}
		}
		c := calls.Get().(*Call)
		c.tok = t
		if own {
			c.own = followerOf(c)
			c.tok = &c.own.own
			c.own.link(ctx, t)
		}
		return c, nil
	}
	if ctx.Err() != nil {
		return nil, notStarted(ctx)
	}
	c := calls.Get().(*Call)
	c.own = followerOf(c)
	c.tok = &c.own.own
	if ctx.Done() != nil {
		c.own.start(ctx)
	}
	return c, nil
}

// leave ends the call once its function has returned, on the same goroutine:
// when it returns, no callback of the call runs and no cancel can reach it (N3).
// It returns the first panic of a callback or a clean-up.
func (c *Call) leave() (p *cancel.PanicError) {
	if c.announced.Load() {
		p = c.joinCallbacks()
	}
	c.abandon.decide()
	if len(c.cleanups) > 0 {
		p = first(p, c.cleanUp())
	}
	if c.worker != nil {
		c.worker.hide()
	}
	t, f := c.tok, c.own
	c.tok, c.own = nil, nil
	switch {
	case f == nil:
		t.Release()
	case f.parent != nil:
		f.unlink()
	case f.ctx != nil || f.own.Cancelled():
		f.finish()
	}
	return p
}

// joinCallbacks stops every callback and waits for those that run, without the
// lock: a callback that is running may register another, hence the loop.
func (c *Call) joinCallbacks() (p *cancel.PanicError) {
	for c.announced.Load() {
		c.mu.Lock() // waits for an OnCancel that is under way
		c.announced.Store(false)
		c.callbacks, c.joining = c.joining, c.callbacks
		c.mu.Unlock()
		for i, cb := range c.joining {
			c.joining[i] = callback{}
			if cb.Stop() {
				continue
			}
			p = first(p, c.join(cb))
		}
		c.joining = c.joining[:0]
	}
	if len(c.joined) > 0 {
		p = first(p, c.resetAll())
	}
	return p
}

// join waits for a callback that has started, if it has.
func (c *Call) join(cb callback) (p *cancel.PanicError) {
	defer func() {
		if v := recover(); v != nil {
			p = cancel.Recovered(v)
		}
	}()
	if c.tok.Cancelled() && !cb.ours {
		c.started++
	}
	c.end(cb)
	return nil
}

// outcome makes the error of Do from what the function said. It is called before
// leave, so that a cancel which comes later can't be blamed.
func (c *Call) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case c.tok.Cancelled():
		return c.cancelled(err)
	case c.own != nil && c.own.late():
		// C has looked at the deadline by itself, and Go's timer is yet to come.
		return &Error{Cause: context.DeadlineExceeded, Err: err, ctxErr: context.DeadlineExceeded}
	}
	return err
}

// cancelled makes the error of a call that has been cancelled and said err.
func (c *Call) cancelled(err error) error {
	e := &Error{Cause: c.tok.Cause(), Err: err}
	switch f := c.own; {
	case f == nil:
		e.ctxErr = c.tok.Err()
	case f.ctx != nil: // else it is the pool that has cancelled
		e.ctxErr = f.ctx.Err()
	}
	return e
}

func (c *Call) recycle() {
	c.started, c.panic, c.goexit = 0, nil, false
	c.worker, c.ctx = nil, nil
	c.abandon.reset()
	calls.Put(c)
}

func first(p, q *cancel.PanicError) *cancel.PanicError {
	if p != nil {
		return p
	}
	return q
}
