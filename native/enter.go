package native

import (
	"context"

	"github.com/hangup-go/hangup/cancel"
)

// enter admits a call under ctx. The error is for a ctx that is done: the call
// is not to be made (N1).
func enter(ctx context.Context) (*Call, error) {
	if !supported {
		return nil, errNoCgo
	}
	t := cancel.FromContext(ctx)
	if t != nil && t.Acquire() {
		if t.Cancelled() {
			err := &Error{Cause: t.Cause()}
			t.Release()
			return nil, err
		}
		c := calls.Get().(*Call)
		c.tok = t
		return c, nil
	}
	if ctx.Err() != nil {
		return nil, &Error{Cause: context.Cause(ctx)}
	}
	c := calls.Get().(*Call)
	c.tok = &c.own
	if ctx.Done() != nil {
		c.ctx = ctx
		c.stop = context.AfterFunc(ctx, c.fire)
	}
	return c, nil
}

// leave ends the call once its function has returned, on the same goroutine:
// when it returns, no callback of the call runs and no cancel can reach it (N3).
// It returns the first panic of a callback.
func (c *Call) leave() (p *cancel.PanicError) {
	if c.announced.Load() {
		p = c.joinCallbacks()
	}
	t := c.tok
	c.tok = nil
	if t != &c.own {
		t.Release()
		return p
	}
	if c.stop != nil {
		// Either the AfterFunc never runs, or it has begun: then it has cancelled
		// c.own, or is about to, and must be done with it before the next call.
		if !c.stop() {
			<-c.fired
		}
		c.stop, c.ctx = nil, nil
	}
	c.own.Close()
	c.own.Reset()
	return p
}

// joinCallbacks stops every callback and waits for those that run, without the
// lock: a callback that is running may register another.
func (c *Call) joinCallbacks() (first *cancel.PanicError) {
	for i := 0; ; i++ {
		cb, ok := c.callback(i)
		if !ok {
			return first
		}
		prevented, p := cb.join()
		if !prevented && c.tok.Cancelled() {
			c.started++
		}
		if first == nil {
			first = p
		}
	}
}

// callback returns the ith callback; after the last one it forgets them all.
func (c *Call) callback(i int) (callback, bool) {
	c.mu.Lock() // waits for an OnCancel that is under way
	defer c.mu.Unlock()
	if i < len(c.callbacks) {
		return c.callbacks[i], true
	}
	clear(c.callbacks)
	c.callbacks = c.callbacks[:0]
	c.announced.Store(false)
	return callback{}, false
}

func (cb callback) join() (prevented bool, p *cancel.PanicError) {
	defer func() {
		if v := recover(); v != nil {
			p = cancel.Recovered(v)
		}
	}()
	if cb.repeat != nil {
		cb.repeat.end()
	}
	return cb.StopAndWait(), nil
}

// outcome makes the error of Do from what the function said. It is called before
// leave, so that a cancel which comes later can't be blamed.
func (c *Call) outcome(err error) error {
	if err == nil || !c.tok.Cancelled() {
		return err
	}
	return &Error{Cause: c.tok.Cause(), Err: err}
}

func (c *Call) recycle() {
	c.started, c.panic, c.goexit = 0, nil, false
	calls.Put(c)
}
