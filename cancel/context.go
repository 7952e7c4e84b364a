package cancel

import (
	"context"
	"errors"
	"reflect"
	"time"
)

// doneCtx is the standard library's own cancellable context behind a token's
// Done channel. With it a context derived from ours is a plain child in the
// standard library's tree and needs no goroutine of its own.
type doneCtx struct {
	context.Context
	ch     <-chan struct{}
	cancel context.CancelCauseFunc
}

// Done returns a channel that is closed when t is cancelled, and never on
// completion. The channel is made on first use; successive calls return the
// same one.
func (t *Token) Done() <-chan struct{} {
	if t.setter != nil {
		t.ahead() // who has seen the flag set finds the channel closed
	}
	if d := t.done.Load(); d != nil {
		return d.ch
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.done.Load(); d != nil {
		return d.ch
	}
	ctx, stop := context.WithCancelCause(context.Background())
	d := &doneCtx{Context: ctx, ch: ctx.Done(), cancel: stop}
	if t.state.Load()&cancelled != 0 {
		stop(t.cause) // Cancel came before us and found no channel to close
	}
	t.done.Store(d)
	return d.ch
}

// Err returns nil while t is not cancelled, then what [context.Context.Err]
// would: [context.DeadlineExceeded] if that is the cause, else
// [context.Canceled].
func (t *Token) Err() error {
	if !t.Cancelled() {
		return nil
	}
	// As in package context: who sees Err sees Done closed, and the right cause.
	t.awaitDone()
	if errors.Is(t.cause, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// tokenKey's address is the key: comparing pointers is cheaper than comparing
// values of a type.
var tokenKey byte

// awaitDone returns when the Done channel of a cancelled token is closed: Cancel
// is between its decision and that at most.
func (t *Token) awaitDone() {
	if d := t.done.Load(); d != nil {
		<-d.ch
	}
}

// Value answers the keys that make a context type built around t one of t's: the
// key of [FromContext], and the standard library's own, by which context.Cause and
// derived contexts find their nearest cancellable ancestor. For any other key it
// returns nil. Such a type takes Done and Err from t and asks t's Value before its
// parent's.
func (t *Token) Value(key any) any {
	switch key {
	case &tokenKey:
		return t
	case standardKey:
		t.Done() // makes it
	}
	if d := t.done.Load(); d != nil {
		return d.Value(key) // a child of context.Background: it has no other key
	}
	return nil
}

// Standard returns the standard library's own cancellable context behind ctx,
// the one that ctx has its Done channel from, or nil if there is none. Its
// methods run no foreign code.
func Standard(ctx context.Context) context.Context {
	if Plain(ctx) {
		return ctx
	}
	std, _ := ctx.Value(standardKey).(context.Context)
	if !Plain(std) || std.Done() != ctx.Done() {
		return nil // it has none, or answers what it was not asked
	}
	return std
}

// standardKey is that key. It is not exported; but context.Cause asks for it.
var standardKey = func() any {
	var s keySpy
	context.Cause(&s)
	return s.key
}()

// Plain reports whether ctx is what context.WithCancel returns: its own standard context, whose
// Done channel is nobody else's. Most contexts without a token are, and a look at the type is
// cheaper than to ask them.
func Plain(ctx context.Context) bool { return reflect.TypeOf(ctx) == plainType }

var plainType = func() reflect.Type {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	return reflect.TypeOf(ctx)
}()

type keySpy struct{ key any }

func (s *keySpy) Deadline() (t time.Time, ok bool) { return }
func (s *keySpy) Done() <-chan struct{}            { return nil }
func (s *keySpy) Err() error                       { return context.Canceled }
func (s *keySpy) Value(key any) any                { s.key = key; return nil }

// Governed is implemented by context types built around a token, so that
// FromContext need not walk and compare.
type Governed interface {
	context.Context
	// Token returns the token that Done and Err are about. Like Done, it makes
	// sure that the token hears of the end of the context's parent.
	Token() *Token
}

// FromContext returns the token that governs ctx: the innermost one that
// ctx.Value finds, provided that its Done channel is ctx's. A context derived
// from a token's context with a deadline or a cancel function of its own is not
// governed by the token alone; for it, and for any other, FromContext returns
// nil.
func FromContext(ctx context.Context) *Token {
	if c, ok := ctx.(*tokenCtx); ok {
		return c.t
	}
	return fromOther(ctx)
}

// fromOther is apart so that what NewContext returns is told without a call.
func fromOther(ctx context.Context) *Token {
	if Plain(ctx) {
		return nil
	}
	if g, ok := ctx.(Governed); ok {
		return g.Token()
	}
	t, _ := ctx.Value(&tokenKey).(*Token)
	if t == nil || ctx.Done() != t.Done() {
		return nil
	}
	return t
}

// NewContext returns a context with the values and the deadline of parent that
// is done when t is cancelled, with t's cause as its [context.Cause].
//
// It does not follow parent's own cancellation; where that matters, join the
// two with [context.AfterFunc], and stop that when the work is done.
func NewContext(parent context.Context, t *Token) context.Context {
	return &tokenCtx{Context: parent, t: t}
}

type tokenCtx struct {
	context.Context
	t *Token
}

func (c *tokenCtx) Done() <-chan struct{} { return c.t.Done() }
func (c *tokenCtx) Err() error            { return c.t.Err() }
func (c *tokenCtx) Token() *Token         { return c.t }

func (c *tokenCtx) Value(key any) any {
	if v := c.t.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
