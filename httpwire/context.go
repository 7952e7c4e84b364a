package httpwire

import (
	"context"
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
	if c.w.parent.Err() == nil {
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
	switch key {
	case watchKey{}:
		return c.w
	case stdKey:
		// context.Cause, and contexts derived from ours, ask for the standard
		// library's own context. It must be ours, never the parent's.
		c.Done()
	}
	if v := c.w.tok.Value(key); v != nil {
		return v
	}
	return c.w.parent.Value(key)
}

// stdKey is the unexported key under which contexts of the standard library find
// their nearest cancellable ancestor. context.Cause asks for it.
var stdKey = func() any {
	var s keySpy
	context.Cause(&s)
	return s.key
}()

type keySpy struct{ key any }

func (s *keySpy) Deadline() (t time.Time, ok bool) { return }
func (s *keySpy) Done() <-chan struct{}            { return nil }
func (s *keySpy) Err() error                       { return context.Canceled } // else Cause does not ask
func (s *keySpy) Value(key any) any                { s.key = key; return nil }
