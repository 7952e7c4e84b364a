package httpwire

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// An interrupt wakes a stream's send that is blocked, in flow control or on a full
// socket, by a write deadline in the past: when the client has left, which alone
// does not wake it everywhere (a FIN, or an aborted body of HTTP/3), and when the
// send has taken too long.
//
// That deadline is set for nothing else. A deadline ahead of each send, taken back
// after it, would overwrite the server's WriteTimeout, which can't be read, and
// on HTTP/2 reset a stream that has only paused.
//
// Who else can be here: begin and end are the sender's, one at a time; wake and late run
// on goroutines of their own, at any time up to stop and a little after. They touch
// the ResponseWriter under mu and before stop only, so never after the handler. The watch is
// decided before wake is called, and begin looks at it after it has stored sending: so a
// client that leaves is seen by begin, or wake sees the send.
type interrupt struct {
	w       *watch
	timeout time.Duration
	reg     cancel.Registration
	sending atomic.Bool // where there is a timeout, changed with mu held

	mu      sync.Mutex
	over    bool      // the handler has returned
	due     time.Time // of the send under way
	broken  bool      // writes have been made to fail
	expired bool      // because a send has taken too long
	timer   *time.Timer
	armed   bool               // the timer is: a send that is in time leaves it so, for the next
	panic   *cancel.PanicError // of late: a ResponseWriter's
}

func (i *interrupt) start(w *watch, timeout time.Duration) {
	i.w, i.timeout = w, timeout
	i.reg = w.arm().disc.OnCancel(func(error) { i.wake() })
}

// begin says that a send is about to happen. It returns false if the client has left.
func (i *interrupt) begin() bool {
	if i.w == nil {
		return true
	}
	if i.timeout > 0 {
		i.beginTimed()
	} else {
		i.sending.Store(true)
	}
	if d := i.w.end.Load(); d == nil || d == &completed {
		return true
	}
	i.end()
	return false
}

func (i *interrupt) beginTimed() {
	i.mu.Lock()
	i.sending.Store(true)
	i.due = time.Now().Add(i.timeout)
	if !i.armed {
		i.arm(i.timeout)
	}
	i.mu.Unlock()
}

// end says that it has happened, and reports whether it took too long.
func (i *interrupt) end() (expired bool) {
	if i.timeout == 0 {
		i.sending.Store(false)
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sending.Store(false)
	return i.expired
}

// wake is called when the client has left. That a send may have ended meanwhile does
// no harm: there is nobody to send to.
func (i *interrupt) wake() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sending.Load() && !i.over {
		i.breakLocked()
	}
}

// late is called when a send may have taken too long: none may be under way, or one
// that is not due yet; or when one has not ended after it was interrupted.
func (i *interrupt) late() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if p := caught(i.lateLocked); p != nil {
		i.panic = p
	}
}

// lateLocked is late with mu held.
func (i *interrupt) lateLocked() {
	i.armed = false
	if !i.sending.Load() || i.over {
		return
	}
	left := time.Until(i.due)
	switch {
	case i.broken:
		i.breakLocked()
	case left > 0:
		i.arm(left)
	default:
		i.expired = true
		i.w.fail(ErrSendTimeout) // first: the deadline makes the server cancel the context
		i.breakLocked()
	}
}

// breakLocked interrupts the send under way, and comes back if that does not end it.
func (i *interrupt) breakLocked() {
	again := i.broken
	i.broken = true
	i.arm(i.w.patience())
	if again {
		i.w.breakConn()
	} else {
		i.w.breakWrites()
	}
}

func (i *interrupt) arm(d time.Duration) {
	i.armed = true
	if i.timer == nil {
		i.timer = time.AfterFunc(d, i.late)
	} else {
		i.timer.Reset(d)
	}
}

// stop returns when the ResponseWriter is not touched any more. It returns the panic of one that
// was, on a goroutine of ours.
func (i *interrupt) stop() *cancel.PanicError {
	i.reg.Stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
	if i.timer != nil {
		i.timer.Stop()
	}
	return i.panic
}

// breakWrites makes the writes of the response fail from now on, those under way too. On
// HTTP/1 that is by the connection, which may have a writer below ours in front that hides it.
func (w *watch) breakWrites() {
	w.noteDeadline(longAgo) // where it is the context that says what happened
	if t, ok := w.conn.(*tcp); ok && t.top != nil {
		t.breakWrites(w)
		return
	}
	_ = http.NewResponseController(w.rw.ResponseWriter).SetWriteDeadline(longAgo)
}

// breakWrites makes the connection's writes fail, if it serves w and has not answered: a
// middleware around ours may have left w's handler behind. Who may have been when it attached does not
// touch what may be another request's.
//
// cut is stored before the turn is looked at, and in answer it is the other way round: one of the two
// sees the other, and a deadline that comes with the end of the response is taken back there.
func (t *tcp) breakWrites(w *watch) {
	t.mu.Lock() // no other request is attached meanwhile
	defer t.mu.Unlock()
	if t.cur != w || w.doubtful {
		return
	}
	t.cut.Store(true)
	if turn := t.turn.Load(); turn == turnTaken || turn == turnUnknown {
		_ = t.top.SetWriteDeadline(longAgo)
	}
}

// answer is told that net/http is done with a response, and that the connection goes on. The next
// write may be of a request that never comes to us.
func (t *tcp) answer() {
	t.turn.Store(turnOver)
	if !t.cut.Load() {
		return // one that was cut off in time does not come here
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.top.SetWriteDeadline(time.Time{}) // what net/http has just set it to
}

// breakConn is for a write that breakWrites has not woken, because it waits for
// the socket. On HTTP/1 net/http closes the connection inside the failing write, and
// crypto/tls takes five seconds of its own there to say so to the peer. On HTTP/2 the
// stream's reset is behind what the socket does not take: nor does it take
// anything of the connection's other streams.
func (w *watch) breakConn() {
	switch c := w.conn.(type) {
	case *tcp:
		w.breakWrites()
	case *http2Conn:
		if c.tcp != nil && c.tcp.top != nil {
			_ = c.tcp.top.SetWriteDeadline(longAgo)
		}
	}
}

// patience is how long a write may take to end once it was made to fail.
func (w *watch) patience() time.Duration {
	if w.proto == HTTP1 {
		return 10 * time.Millisecond
	}
	return time.Second
}

// cut makes the response end as a broken one. On HTTP/1 the last chunk can't be
// written, and the connection is closed; HTTP/2's server resets a stream whose deadline
// has passed; HTTP/3's would end it as if it were complete. What the client does upon our
// reset is no disconnect (see http2Conn.resetByUs): it may come before Cut has returned.
func (w *watch) cut() {
	w.breakWrites()
	c, ok := w.conn.(wire.Cutter)
	if !ok {
		return
	}
	w.rw.beginLast()
	defer w.rw.release()
	if c.Cut(w.id) {
		w.complete()
	}
}
