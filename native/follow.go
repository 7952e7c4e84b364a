package native

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A follower makes a call follow a context that has no token of ours. To call
// context.AfterFunc for each call would cost more than most calls; so a follower
// only says that it follows, and the armer, which comes by once a millisecond,
// calls AfterFunc for those that have been at it since its last round.
//
// Its word is generation << 2 | armed | active:
//
//	start:  idle    -> active          a store; the follower is its call's alone
//	arm:    active  -> active | armed  a CAS, with mu held until stop is stored
//	finish: active  -> idle            a CAS; nobody has looked, nobody will
//	        armed   -> idle            after taking mu, stop, and the join
//
// The armer reads ctx only after its CAS, which fails for a call that has
// finished and, as the generation differs, for any later one.
type follower struct {
	word atomic.Uint64
	ctx  context.Context // whose end it follows
	from context.Context // the call's: it may have a deadline that ctx, a part of it, does not show
	own  cancel.Token    // decides the call; live between calls

	mu   sync.Mutex // held while arming
	stop func() bool

	parent *cancel.Token       // the request's, borrowed, where the context is governed by one
	linked cancel.Registration // of own with it

	fire  func()             // what AfterFunc calls
	fired chan struct{}      // one place: fire has been called and is done
	panic *cancel.PanicError // of the context, in fire; written before fired

	seen uint64 // the armer's: the word at its last round
}

const (
	active uint64 = 1 << iota
	armed
	generation
)

func newFollower() *follower {
	f := &follower{fired: make(chan struct{}, 1)}
	f.fire = func() {
		var cause error
		defer func() { // a foreign context may exit
			f.own.Cancel(cause)
			f.fired <- struct{}{}
		}()
		cause = f.cause()
	}
	return f
}

// cause asks a context that may be foreign, on a goroutine that nobody waits for.
func (f *follower) cause() (err error) {
	defer func() {
		if v := recover(); v != nil {
			f.panic = cancel.Recovered(v) // and the call is cancelled all the same
		}
	}()
	return context.Cause(f.ctx)
}

// start makes f's token follow ctx, if that can be done at all, until finish.
//
// Only contexts of the standard library are left to the armer. A foreign one's
// methods may block or panic: that is for the caller to bear.
func (f *follower) start(ctx context.Context) {
	std := cancel.Standard(ctx)
	if std == nil {
		if ctx.Done() != nil {
			f.startForeign(ctx)
		}
		return
	}
	f.ctx, f.from = std, ctx
	f.word.Store(f.word.Load() + generation | active)
	// The word before the look: the armer, going to sleep, says so before its
	// last round. One of the two sees the other.
	if followers.asleep.Load() {
		followers.wake()
	}
}

func (f *follower) startForeign(ctx context.Context) {
	f.ctx, f.from = ctx, ctx
	defer func() {
		if f.stop == nil { // ctx has panicked: the next call must not see it
			f.ctx, f.from = nil, nil
		}
	}()
	f.stop = context.AfterFunc(ctx, f.fire)
	f.word.Store(f.word.Load() + generation | active | armed)
}

// link makes f's token follow t, which governs ctx and is borrowed until unlink.
// The armer has no part in it: t's Cancel cancels f's token itself.
func (f *follower) link(ctx context.Context, t *cancel.Token) {
	f.ctx, f.from, f.parent = ctx, ctx, t
	f.linked = t.Link(&f.own)
}

func (f *follower) unlink() {
	f.linked.StopAndWait()
	f.parent.Release()
	f.parent, f.linked = nil, cancel.Registration{}
	f.renew()
}

// deadline returns the deadline of the call's context, or zero.
func (f *follower) deadline() (t time.Time) {
	if f.from != nil {
		t, _ = f.from.Deadline()
	}
	return t
}

// late reports whether the deadline of the call's context has passed.
func (f *follower) late() bool {
	t := f.deadline()
	return !t.IsZero() && !time.Now().Before(t)
}

// finish returns when no end of the context can reach f's token any more, and
// makes the token live for the next call. The panic is the context's.
func (f *follower) finish() (p *cancel.PanicError) {
	w := f.word.Load()
	if w&armed != 0 || !f.word.CompareAndSwap(w, w&^active) {
		p = f.disarm()
	}
	f.renew()
	return p
}

// quit is finish of a follower at whose context nobody has looked, and reports whether it was one.
func (f *follower) quit() bool {
	w := f.word.Load()
	if w&(active|armed) != active || !f.word.CompareAndSwap(w, w&^active) {
		return false
	}
	if f.own.Cancelled() { // by whoever made the call: a stream whose loop has ended
		f.renew()
	} else {
		f.ctx, f.from = nil, nil
	}
	return true
}

// renew forgets the context and makes the token live. Nobody else can reach it.
func (f *follower) renew() {
	f.ctx, f.from = nil, nil
	if f.own.Cancelled() {
		f.own.Close()
		f.own.Reset()
	}
}

func (f *follower) disarm() *cancel.PanicError {
	f.mu.Lock() // waits until the armer has stored stop
	stop := f.stop
	f.stop = nil
	f.mu.Unlock()
	// Either fire is never called, or its goroutine has begun: then it has
	// cancelled the token, or is about to, and must be done with it.
	var p *cancel.PanicError
	if !f.stopped(stop) {
		<-f.fired
		p, f.panic = f.panic, nil
	}
	f.idle()
	return p
}

func (f *follower) idle() { f.word.Store(f.word.Load() &^ (active | armed)) }

// stopped calls stop. Where that calls a foreign context's own stop function, which may
// panic or exit, context.AfterFunc has decided before: fire is not called.
func (f *follower) stopped(stop func() bool) (prevented bool) {
	returned := false
	defer func() {
		if !returned { // finish does not go on
			f.idle()
			f.renew()
		}
	}()
	prevented = stop()
	returned = true
	return prevented
}

// arm registers f with its context if f has been active since word w was seen.
func (f *follower) arm(w uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.word.CompareAndSwap(w, w|armed) {
		f.stop = context.AfterFunc(f.ctx, f.fire)
	}
}

// followerOf returns c's follower. A Call has one from its first need on, and
// gives it back when the pool drops the Call.
func followerOf(c *Call) *follower {
	if c.follower == nil {
		c.getFollower()
	}
	return c.follower
}

func (c *Call) getFollower() {
	c.follower = followers.get()
	runtime.AddCleanup(c, followers.put, c.follower)
}
