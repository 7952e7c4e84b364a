package httpwire

import (
	"net/http"
	"sync"
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
// the ResponseWriter under mu and while a send is under way only, so never
// after the handler. A client that leaves before begin has taken mu is seen by
// begin, as the watch is decided before anybody is called; one that leaves later,
// by wake.
type interrupt struct {
	w       *watch
	timeout time.Duration
	reg     cancel.Registration

	mu      sync.Mutex
	sending bool
	due     time.Time // of the send under way
	broken  bool      // writes have been made to fail
	expired bool      // because a send has taken too long
	timer   *time.Timer
}

func (i *interrupt) start(w *watch, timeout time.Duration) {
	i.w, i.timeout = w, timeout
	w.arm()
	i.reg = w.disc.OnCancel(func(error) { i.wake() })
}

// begin says that a send is about to happen. It returns false if the client has left.
func (i *interrupt) begin() bool {
	if i.w == nil {
		return true
	}
	i.mu.Lock()
	i.sending = true
	if i.timeout > 0 {
		i.due = time.Now().Add(i.timeout)
		i.arm(i.timeout)
	}
	i.mu.Unlock()
	if i.w.left() == nil {
		return true
	}
	i.end()
	return false
}

// end says that it has happened.
func (i *interrupt) end() {
	if i.w == nil {
		return
	}
	i.mu.Lock()
	i.sending = false
	if i.timer != nil {
		i.timer.Stop()
	}
	i.mu.Unlock()
}

// wake is called when the client has left.
func (i *interrupt) wake() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sending {
		i.breakLocked()
	}
}

// late is called when a send has taken too long; or was about to when it ended,
// and another may be under way that is not due; or when one has not ended after
// it was interrupted.
func (i *interrupt) late() {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case !i.sending:
	case i.broken:
		i.breakLocked()
	case !time.Now().Before(i.due):
		i.expired = true
		i.w.cancel(ErrSendTimeout) // first: the deadline makes the server cancel the context
		i.breakLocked()
	}
}

// breakLocked interrupts the send under way, and comes back if that does not end it.
func (i *interrupt) breakLocked() {
	if i.broken {
		i.w.breakConn()
	} else {
		i.w.breakWrites()
	}
	i.broken = true
	i.arm(i.w.patience())
}

func (i *interrupt) arm(d time.Duration) {
	if i.timer == nil {
		i.timer = time.AfterFunc(d, i.late)
	} else {
		i.timer.Reset(d)
	}
}

func (i *interrupt) stop() {
	i.end() // a send that has panicked
	i.reg.Stop()
}

// breakWrites makes the writes of the response fail from now on, those under way too.
func (w *watch) breakWrites() {
	w.noteDeadline(longAgo) // where it is the context that says what happened
	err := http.NewResponseController(w.rw.ResponseWriter).SetWriteDeadline(longAgo)
	if t, ok := w.conn.(*tcp); ok && err != nil && t.top != nil {
		_ = t.top.SetWriteDeadline(longAgo) // a writer below ours hides the server's
	}
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
// has passed; HTTP/3's would end it as if it were complete.
func (w *watch) cut() {
	w.breakWrites()
	if c, ok := w.conn.(wire.Cutter); ok {
		c.Cut(w.id)
	}
}
