package httpwire

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// A half is the part of a watch that only a policy other than HalfCloseGone
// needs. net/http cancels a request, and all later ones of its connection, at
// the end of the input. Under such a policy the request's context outlives
// that: from then on it follows what its parent would have followed.
//
//   - the connection's base context: an AfterFunc;
//   - the parent's deadline, which a handler around ours may have set: a timer. A
//     plain cancel by such a handler is lost: nothing tells it from net/http's;
//   - our closing the connection, or giving up a write: Sink.Ended. Nobody
//     tells us of the close of a connection that is not wrapped: it is looked at.
//
// Lock order: out, mu, tcp.mu.
type half struct {
	w *watch
	t *tcp

	own      bool        // the writer below is net/http's
	ignoring atomic.Bool // the parent's end was not ours

	mu       sync.Mutex // guards what follows the parent's parents
	over     bool       // the handler has returned
	unbase   func() bool
	deadline *time.Timer
	poll     *time.Timer

	out   sync.Mutex // held over each interim response; guards the probe's part
	open  bool       // the client may be asked
	asked uint8      // the level of the end that it was asked for
}

// pollEvery is how long after its close a connection that is not wrapped may go
// unnoticed, by a request whose client has half-closed.
const pollEvery = 100 * time.Millisecond

// newHalf makes the half of w, whose request r came on t.
func newHalf(w *watch, t *tcp, rw http.ResponseWriter, r *http.Request) *half {
	own, begun := serverWriter(rw)
	return &half{
		w: w, t: t, own: own,
		open: own && !begun && t.halfClose == HalfCloseProbe && r.ProtoAtLeast(1, 1),
	}
}

// live reports whether the parent's end is to be ignored. A base context whose
// end is on its way to us by another goroutine is not: see requestContext.Err.
func (h *half) live() bool {
	return h != nil && h.ignoring.Load() && (h.t.base == nil || h.t.base.Err() == nil)
}

// outlive makes the context ignore its parent from now on.
func (h *half) outlive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || h.ignoring.Swap(true) {
		return // finish ends the context; or it has been done
	}
	if h.t.base != nil {
		h.unbase = context.AfterFunc(h.t.base, h.w.parentDone)
	}
	if d, ok := h.w.parent.Deadline(); ok {
		h.deadline = time.AfterFunc(time.Until(d), func() { h.w.look().cancel(context.DeadlineExceeded) })
	}
	if h.t.bare && h.t.raw != nil {
		h.poll = time.AfterFunc(pollEvery, h.look)
	}
}

// look finds that a connection was closed behind our back.
func (h *half) look() {
	if h.t.raw.Control(func(uintptr) {}) != nil {
		h.w.Ended(wire.Event{Kind: wire.ServerClosed})
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.poll.Reset(pollEvery)
	}
}

// close ends what outlive began, and returns when no probe is being written or
// will be.
func (h *half) close() {
	h.mu.Lock()
	h.over = true
	if h.unbase != nil {
		h.unbase()
	}
	for _, timer := range []*time.Timer{h.deadline, h.poll} {
		if timer != nil {
			timer.Stop()
		}
	}
	h.mu.Unlock()
	h.begin()
}

// writeFailed takes the error of a handler's write where the connection's own
// can't be seen.
func (h *half) writeFailed(err error) {
	if h != nil && h.own && h.t.bare && err != nil {
		h.t.note(err, wire.WriteErr)
	}
}
