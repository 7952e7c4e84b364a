package native

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A Call is one running call, passed to the function that makes it. Its methods
// may be used from any goroutine until the function returns. Calls are reused:
// after that they panic, or act on a later call.
type Call struct {
	tok *cancel.Token // decides this call; nil between calls, if nobody keeps it
	own *follower     // set if tok is its token, and not the context's own

	lender *cancel.Token // keeps the Call, for the calls of its request, see enterGoverned; nil: it is of the pool. Tok is the same

	follower *follower // this Call's, from its first need on

	more      atomic.Bool // something below was or is being registered: leave has to look
	mu        sync.Mutex
	callbacks []callback
	joining   []callback   // the callbacks that leave is joining
	joined    []*canceller // of those, to be reset
	started   int          // callbacks that have started, counted on leaving

	// A call on a goroutine of its own (see worker).
	job    job
	worker *worker    // nil for Inline's
	events chan event // room for both, so that nobody waits who sends
	panic  *cancel.PanicError
	goexit bool
	ctx    context.Context // of a call in a pool of the program's own, for Close's report
	since  time.Time       // the same
	how    Outcome         // once decided
	record *record         // nil: not traced. Written before the function begins, of Do's before the worker has it

	abandon  abandon
	cleanups []func(late bool)
}

// A sync.Pool may drop Calls at any time; nothing but memory is lost.
var calls sync.Pool

func init() {
	calls.New = func() any {
		return &Call{events: make(chan event, 2)}
	}
}

// A keptCall is a Call as its lender keeps it.
type keptCall struct{ c *Call }

func (k keptCall) Free() {
	k.c.tok, k.c.lender = nil, nil
	calls.Put(k.c)
}

// Flag returns the word that C reads to learn that the call is cancelled: by an atomic load, as
// hangup_cancelled of hangup.h does, or through a pointer to volatile. A compiler may move
// a plain read out of the loop, and then C never stops. Its memory is valid until the function has returned, and shared with other calls
// of the same request: C must not write it.
//
// Beside the word is the deadline of the call's context, if it has one:
// hangup_expired of hangup.h, in this directory, looks at both.
func (c *Call) Flag() cancel.Flag {
	f := c.token().Flag()
	if c.own != nil { // else it is the request's, and its owner has set the deadline
		f.SetDeadline(c.own.deadline())
	}
	return f
}

// EventFD returns a file descriptor that is readable once the call is cancelled,
// for C code that waits in poll, select or epoll, or hands its descriptors to
// somebody who does (libcurl's multi interface). It is made on first use, 2 µs,
// and kept for later calls. It is valid until the function has returned, and shared with
// other calls of the same request: it must not be read, written or closed, and
// be taken out of an epoll instance that outlives the function. The error
// matches [errors.ErrUnsupported] where there is no eventfd(2).
func (c *Call) EventFD() (int, error) {
	return c.token().EventFD()
}

// Cancelled reports whether the call has been cancelled so far.
func (c *Call) Cancelled() bool {
	return c.token().Cancelled()
}

// OnCancel registers f to be called with the cause if the call is cancelled: at
// most once, on a goroutine of its own, never after Do or Inline has returned.
//
// A cancel may come just as the function returns; f may then start a moment
// later, and Do and Inline wait for it. So a handle that f uses is given back or
// freed after Do or Inline; or inside the function after StopAndWait of the registration.
// What f holds stays reachable until Do has returned or, with Inline, until the request's next Inline or its end.
//
// For the cancel function of a library, which may be lost when it comes early, or stay when
// it comes late, use AddCanceller.
func (c *Call) OnCancel(f func(cause error)) cancel.Registration {
	if f == nil {
		panic("native: OnCancel called with a nil callback")
	}
	f = c.recorded(f)
	if t := c.token(); c.alone() {
		if r, ok := t.OnCancelFirst(f); ok {
			return r
		}
	}
	return c.onCancelMore(f)
}

func (c *Call) onCancelMore(f func(cause error)) cancel.Registration {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.token()
	c.more.Store(true)
	r := t.OnCancel(f)
	c.callbacks = append(c.callbacks, callback{Registration: r})
	return r
}

// token returns what decides the call. A Call that is kept has its token between calls too.
func (c *Call) token() *cancel.Token {
	t := c.tok
	if t == nil || c.lender != nil && !t.Lent() {
		panic("native: Call used after its function returned")
	}
	return t
}

// alone reports whether nobody but the call registers first callbacks with its token.
func (c *Call) alone() bool { return c.lender != nil || c.own != nil }
