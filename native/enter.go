package native

import (
	"context"

	"github.com/hangup-go/hangup/cancel"
)

// enterGoverned admits a call that t decides, and uses the Call that t keeps, if no other call of
// the request does. It returns nil if t is closed or cancelled. No foreign code runs but t's setter, which
// must not panic.
func enterGoverned(t *cancel.Token) *Call {
	if !supported {
		return nil
	}
	place, ok := t.AcquireKept()
	if place != nil {
		if k, ok := (*place).(keptCall); ok && !t.Cancelled() {
			return k.c
		}
	}
	return enterGovernedFirst(t, place, ok)
}

// enterGovernedFirst is the rest of it: the request has no Call yet, or another call has it.
func enterGovernedFirst(t *cancel.Token, place *cancel.Kept, ok bool) *Call {
	switch {
	case !ok:
		return nil
	case t.Cancelled():
		if place == nil {
			t.Release()
			return nil
		}
		for !t.ReleaseKept() {
			t.ForgetFirst() // it was registered against the rules, between two calls
		}
		return nil
	case place == nil:
		c := calls.Get().(*Call)
		c.tok = t
		return c
	}
	c := calls.Get().(*Call)
	c.tok, c.lender = t, t
	*place = keptCall{c}
	return c
}

// enter admits a call under ctx, which t governs if it is not nil: with a token of its own, beside
// the request's, if it is to be cancelled alone. The error is for a ctx that is done: the call is not
// to be made (N1).
func enter(ctx context.Context, t *cancel.Token, own bool) (*Call, error) {
	if !supported {
		return nil, errNoCgo
	}
	if t == nil || !t.Acquire() {
		return enterOwn(ctx)
	}
	if t.Cancelled() {
		return nil, inVain(t)
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

// inVain ends the borrow of a call that is not made, as t is cancelled. The cause's own Is may run.
func inVain(t *cancel.Token) error {
	defer t.Release()
	return &Error{Cause: t.Cause(), ctxErr: t.Err()}
}

// enterOwn admits a call whose context has no token of ours, or a closed one.
func enterOwn(ctx context.Context) (*Call, error) {
	if !supported {
		return nil, errNoCgo
	}
	if ctx.Err() != nil {
		return nil, notStarted(ctx)
	}
	c := calls.Get().(*Call)
	f := followerOf(c)
	c.own, c.tok = f, &f.own
	f.start(ctx)
	return c, nil
}

// bare reports whether the call has nothing beside its token, no callback and no clean-up.
// If so, none can come any more.
func (c *Call) bare() bool { return c.stopFirst() && !c.more.Load() }

func (c *Call) stopFirst() bool { return !c.alone() || c.tok.StopFirst() }

// leaveBare is leave of a call that has nothing beside its token, as most, and reports whether it
// was one. No foreign code runs but the token's setter.
func (c *Call) leaveBare() bool {
	if !c.bare() {
		return false
	}
	switch f := c.own; {
	case f == nil:
		if c.lender == nil { // else the borrow ends with the loan: see recycle
			c.tok.Release()
		}
	case !f.quit():
		return false
	}
	c.clear()
	return true
}

// clear takes from the Call what every call has.
func (c *Call) clear() {
	if c.lender == nil {
		c.tok = nil
	}
	c.own, c.record, c.how = nil, nil, NotStarted
}

// leave ends the call once its function has returned, on the same goroutine:
// when it returns, no callback of the call runs and no cancel can reach it (N3).
// It returns the first panic of a callback or a clean-up.
func (c *Call) leave() (p *cancel.PanicError) {
	if !c.bare() || c.worker != nil {
		p = c.wind()
	}
	return first(p, c.part())
}

// part takes the call from its token. The panic is that of a foreign context.
func (c *Call) part() (p *cancel.PanicError) {
	t, f := c.tok, c.own
	c.clear()
	switch {
	case f == nil:
		if c.lender == nil { // else the borrow ends with the loan: see recycle
			t.Release()
		}
	case f.parent != nil:
		f.unlink()
	case f.ctx != nil || f.own.Cancelled():
		p = f.finish()
	}
	return p
}

// wind ends what the call has beside its token.
func (c *Call) wind() (p *cancel.PanicError) {
	exits := true
	defer func() {
		switch {
		case exits:
			c.exited(p)
		case c.worker != nil:
			c.worker.hide()
		}
	}()
	p = c.joinCallbacks()
	if c.worker != nil && !c.abandon.over {
		c.abandon.decide()
	}
	if len(c.cleanups) > 0 {
		p = first(p, c.cleanUp())
	}
	exits = false
	return p
}

// exited is the end of a call whose Reset or clean-up has called runtime.Goexit: leave does not go
// on, so this is all that is left of it. Another of them may exit as well: then it is
// all done when wind does not return here. Panics are kept in c.panic meanwhile.
func (c *Call) exited(p *cancel.PanicError) {
	c.panic = first(c.panic, p)
	c.panic = first(c.panic, c.wind())
	c.panic = first(c.panic, c.part())
	if c.worker != nil {
		return // it tells the caller
	}
	p, c.panic = c.panic, nil
	if c.lender != nil {
		c.endLoan()
	}
	if p != nil {
		panic(p)
	}
}

// keep saves p from a runtime.Goexit.
func (c *Call) keep(p *cancel.PanicError, exits bool) {
	if exits {
		c.panic = first(c.panic, p)
	}
}

// joinCallbacks stops every callback and waits for those that run, without the
// lock: a callback that is running may register another, hence the loops.
func (c *Call) joinCallbacks() (p *cancel.PanicError) {
	for {
		for !c.bare() {
			p = first(p, c.joinFirst())
			p = first(p, c.joinMore())
		}
		if len(c.joined) == 0 {
			return p
		}
		p = c.resetAll(p)
	}
}

func (c *Call) joinFirst() (p *cancel.PanicError) {
	if c.stopFirst() {
		return nil
	}
	if r, ok := c.tok.FirstStarted(); ok {
		p = c.join(callback{Registration: r})
	}
	c.tok.ForgetFirst()
	return p
}

func (c *Call) joinMore() (p *cancel.PanicError) {
	for c.more.Load() {
		c.tok.Cancelled() // a flag that its setter has set is a cancel
		c.mu.Lock()       // waits for an OnCancel that is under way
		c.more.Store(false)
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

// recycle gives the Call back. From here on it is another call's.
func (c *Call) recycle() {
	if c.worker != nil {
		c.worker, c.ctx, c.panic, c.goexit = nil, nil, nil, false
		c.abandon.reset()
	}
	if c.lender != nil {
		c.endLoan()
		return
	}
	c.started = 0
	calls.Put(c)
}

// endLoan gives the Call back to its lender. The callbacks have been joined, but for one that was registered
// against the rules, when the function had returned.
func (c *Call) endLoan() {
	for c.started = 0; !c.lender.ReleaseKept(); c.started = 0 {
		c.joinFirst()
	}
}

func first(p, q *cancel.PanicError) *cancel.PanicError {
	if p != nil {
		return p
	}
	return q
}
