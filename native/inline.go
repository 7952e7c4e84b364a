package native

import (
	"context"

	"github.com/hangup-go/hangup/cancel"
)

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
	c, err := enterInline(ctx)
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
	t, lent := c.tok, c.lent
	if lent && c.first.Stop() && !c.more.Load() { // leave, of a call that has nothing beside its token
		c.tok, c.record, c.how = nil, nil, NotStarted
		c.lent, c.started = false, 0
		t.ReleaseKept()
		return
	}
	p := c.leave()
	if lent {
		c.endLoan(t)
	} else {
		c.recycle()
	}
	if p != nil {
		panic(p)
	}
}

// endLoan gives the borrow back: from here on the Call is another call's.
func (c *Call) endLoan(t *cancel.Token) {
	c.lent, c.started = false, 0
	t.ReleaseKept()
}
