package httpwire

import (
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// requestContext is the context of a watched request. It has the values and the
// deadline of the server's own; Done and Err are the watch's token's. It follows
// its parent only once somebody has looked: that saves an AfterFunc per request.
type requestContext watch

func (c *requestContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *requestContext) Done() <-chan struct{} { return c.Token().Done() }

func (c *requestContext) Err() error {
	t := c.Token()
	if err := t.Err(); err != nil {
		return err
	}
	if c.parent.Err() == nil || c.half.live() {
		return nil
	}
	// The parent's end is on its way to us on another goroutine. A caller that
	// polls must not see it later than net/http's own context would show it.
	(*watch)(c).parentDone()
	return t.Err()
}

// Token implements cancel.Governed.
func (c *requestContext) Token() *cancel.Token { return &(*watch)(c).arm().tok }

func (c *requestContext) Value(key any) any {
	if key == wire.Key {
		return (*watch)(c)
	}
	// The token answers what makes the context cancellable, for context.Cause and
	// for contexts derived from ours: it must be ours, never the parent's. Every
	// token answers the same keys.
	if over.tok.Value(key) != nil {
		return c.Token().Value(key)
	}
	return c.parent.Value(key)
}
