package native

import "context"

// Inline calls fn on the caller's goroutine, as [Do] does on another: the same
// guarantees at a fraction of the cost, for calls that take microseconds and for
// callers that have a goroutine to block. A panic of fn passes as it is; if a
// callback has panicked as well, its panic follows.
func Inline[T any](ctx context.Context, fn func(*Call) (T, error)) (T, error) {
	if mayTrace() {
		if r := newRecord(ctx, nil); r != nil {
			return inlineTraced(r, fn)
		}
	}
	c, err := enterShared(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	defer c.leaveInline() // after a panic and Goexit too
	v, err := fn(c)
	if err != nil {
		err = c.outcome(err)
	}
	return v, err
}

func (c *Call) leaveInline() {
	if t := c.lender; t != nil && c.bare() {
		c.tok, c.record, c.how = nil, nil, NotStarted
		c.endLoan()
		return
	}
	if c.lender == nil && c.leaveBare() { // a lent one that was not bare may be so by now
		c.recycleBare()
		return
	}
	p := c.leave()
	c.recycle()
	if p != nil {
		panic(p)
	}
}
