package httpwire

import (
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// requestContext is the context of a watched request. It has the values and the
// deadline of the server's own; Done and Err are the watch's token's. It follows
// its parent only once somebody has looked: that saves an AfterFunc per request.
type requestContext struct{ w *watch }

func (c *requestContext) Deadline() (time.Time, bool) { return c.w.parent.Deadline() }

func (c *requestContext) Done() <-chan struct{} {
	c.w.arm()
	return c.w.tok.Done()
}

func (c *requestContext) Err() error {
	c.w.arm()
	if err := c.w.tok.Err(); err != nil {
		return err
	}
	if c.w.parent.Err() == nil || c.w.half.live() {
		return nil
	}
	// The parent's end is on its way to us on another goroutine. A caller that
	// polls must not see it later than net/http's own context would show it.
	c.w.parentDone()
	return c.w.tok.Err()
}

// Token implements cancel.Governed.
func (c *requestContext) Token() *cancel.Token {
	c.w.arm()
	return &c.w.tok
}

type watchKey struct{}

func (c *requestContext) Value(key any) any {
	if key == (watchKey{}) {
		return c.w
	}
	// The token answers what makes the context cancellable, for context.Cause and
	// for contexts derived from ours: it must be ours, never the parent's.
	if v := c.w.tok.Value(key); v != nil {
		c.w.arm()
		return v
	}
	return c.w.parent.Value(key)
}
