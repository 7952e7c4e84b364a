package httpwire

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// A watch looks after one request. It is active, then gone or completed, decided
// once, by the first compare-and-swap of end:
//
//	active -> gone       Gone: evidence that the client has left
//	active -> completed  finish: the handler returns or panics; or the response is complete
//
// Who happens before whom:
//   - Gone swaps end first, then cancels the context's token (flag, Done), then
//     the disconnect token (callbacks). Nothing that loses the swap cancels
//     anything, so a handler that has finished first is never told.
//   - finish may lose the swap to a Gone that has not cancelled the tokens yet. It
//     then cancels them itself (deciding twice is harmless) before it closes
//     and drains: a callback that Gone is about to start is either running by
//     then, and waited for, or never starts.
//   - Watches are garbage collected, not pooled: a late Gone, Judge or context
//     callback finds a decided watch and does nothing.
//
// The tokens are made when they are needed: see look. A watch is one allocation,
// every request's: what it holds, the garbage collector pays for.
type watch struct {
	end    atomic.Pointer[Disconnect] // nil: active; &completed; else gone
	looked atomic.Pointer[look]       // nil: nobody has looked, and nothing has happened

	parent context.Context // of the request as the server made it
	conn   wire.Conn       // nil: the context fallback
	id     uint64          // conn's name for the request

	proto    Protocol
	lent     atomic.Uint32 // whether the thread that sets flags may have ours: see setting
	hijacked atomic.Bool
	returned bool         // the handler has, and has not panicked; its goroutine's
	doubtful bool         // whether the connection may have been another request's when w attached: see tcp.doubtful
	deadline atomic.Int64 // earliest deadline that the handler set

	unseen *unseen // nil where the connection's reads and writes are seen
	half   *half   // nil under HalfCloseGone

	rw struct{ response } // see present
}

// unseen is what the context fallback may need.
type unseen struct {
	since time.Time // start
	body  bool      // whether there is one
}

var completed Disconnect

// begin begins to watch r, with a new w. The caller must call finish.
func (w *watch) begin(rw http.ResponseWriter, r *http.Request, conn wire.Conn) {
	w.parent, w.conn, w.proto = r.Context(), conn, Protocol(r.ProtoMajor)
	w.rw.ResponseWriter, w.rw.w, w.rw.length, w.rw.head = rw, w, -1, r.Method == http.MethodHead
	t, ok := conn.(*tcp)
	if ok && t.halfClose != HalfCloseGone {
		w.half = newHalf(w, t, rw, r)
	}
	if conn == nil || ok && t.bare {
		w.unseen = &unseen{time.Now(), r.Body != http.NoBody}
	}
}

// Gone implements wire.Sink.
func (w *watch) Gone(e wire.Event) {
	if w.end.Load() != nil {
		return
	}
	d := w.disconnect(e, time.Now())
	if w.rw.postpone(d) {
		return // the last write is on its way: its outcome decides
	}
	w.gone(d)
}

func (w *watch) disconnect(e wire.Event, at time.Time) *Disconnect {
	return &Disconnect{
		Proto: w.proto, Kind: Kind(e.Kind), Code: e.Code, HasCode: e.HasCode,
		Err: e.Err, Time: at, Source: Source(e.Source),
	}
}

// Ended implements wire.Sink. A connection that was taken over is its new owner's
// to close.
func (w *watch) Ended(e wire.Event) {
	if !w.hijacked.Load() {
		w.look().cancel(reasonOf(e, context.Canceled))
	}
}

func (w *watch) gone(d *Disconnect) {
	if w.end.CompareAndSwap(nil, d) {
		w.tell(d)
	}
}

// tell cancels both tokens, flag first. It may be called by several goroutines.
func (w *watch) tell(d *Disconnect) {
	l := w.look()
	l.cancel(d)
	l.disc.Cancel(d)
}

// complete ends the watch, not the context: the client has all it wanted, and
// may leave.
func (w *watch) complete() {
	if !w.end.CompareAndSwap(nil, &completed) {
		return
	}
	if l := w.looked.Load(); l != nil {
		l.disc.Complete()
	}
}

// finish ends the watch and its context, and returns when no callback of
// OnDisconnect runs or will. It returns their panics.
func (w *watch) finish() (panics []*cancel.PanicError) {
	w.withdraw()
	if !w.end.CompareAndSwap(nil, &completed) {
		w.tellGone() // Gone may have swapped, and not got any further
	}
	if t, ok := w.conn.(*tcp); ok {
		t.detach(w)
	} else if w.conn != nil {
		w.conn.Detach(w.id, w)
	}
	if w.half != nil {
		w.half.close()
	}
	if !w.looked.CompareAndSwap(nil, over) {
		panics = w.closeStreams() // of a look that has just been made
		panics = append(panics, w.looked.Load().close()...)
	}
	return panics
}

// parentDone ends the context when its parent is done. Evidence comes first: if
// it was the client, the cause has to say so.
func (w *watch) parentDone() {
	cause := context.Cause(w.parent)
	w.withdraw()
	if d := w.end.Load(); d == nil || d == &completed { // completed: the reason is still asked for
		e, ok := w.judge(cause)
		switch {
		case ok:
			w.Gone(e)
		case e.Kind == wire.HalfClosed:
			w.half.outlive()
			return
		}
		cause = reasonOf(e, cause)
	}
	if w.rw.undecided() {
		return // decide comes here again
	}
	w.tellGone() // another goroutine's Gone may have swapped, and got no further
	w.look().cancel(cause)
}

// judge says whether the client ended the parent context with cause; if not, e
// may name a reason of our own.
func (w *watch) judge(cause error) (e wire.Event, gone bool) {
	if w.conn == nil {
		return w.judgeContext(cause)
	}
	e, gone = w.conn.Judge(w.id, w, cause)
	if e.Kind == wire.HalfClosed {
		return e, false
	}
	// HTTP/2 keeps its deadlines above the connection; what a bare connection does
	// is not seen.
	unknown := w.proto == HTTP2 && e.Kind == 0 || w.bare() && e.Kind != wire.BaseContext
	if !gone && unknown && cause == context.Canceled && w.deadlinePassed() {
		e.Kind = wire.ServerDeadline
	}
	return e, gone
}

// bare reports whether the connection's reads and writes are not seen.
func (w *watch) bare() bool {
	t, ok := w.conn.(*tcp)
	return ok && t.bare
}

// judgeContext is the fallback where there is no connection to ask: the context
// was cancelled, and by no deadline that we know of. It can't tell Server.Close
// and a cancelled BaseContext from a client.
func (w *watch) judgeContext(cause error) (wire.Event, bool) {
	if cause != context.Canceled {
		return wire.Event{}, false
	}
	if w.deadlinePassed() {
		return wire.Event{Kind: wire.ServerDeadline}, false
	}
	kind := wire.Closed
	if w.proto != HTTP1 {
		kind = wire.StreamReset
	}
	return wire.Event{Kind: kind, Err: cause, Source: wire.Context}, true
}

// deadlinePassed reports whether a deadline of the handler's or the server's may
// have passed. The server's began before the handler: a read's by an unknown time,
// a write's by less than a second.
func (w *watch) deadlinePassed() bool {
	now := time.Now()
	if d := w.deadline.Load(); d != 0 && now.UnixNano() >= d {
		return true
	}
	srv, ok := w.parent.Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return false
	}
	if u := w.unseen; u != nil {
		return srv.ReadTimeout > 0 && u.body || srv.WriteTimeout > 0 && now.Sub(u.since) >= srv.WriteTimeout-time.Second
	}
	return srv.WriteTimeout > 0 // HTTP/2 keeps it by a timer of its own
}

// noteDeadline records a deadline that the handler set.
func (w *watch) noteDeadline(t time.Time) {
	if t.IsZero() {
		return
	}
	for {
		d := w.deadline.Load()
		if d != 0 && d <= t.UnixNano() || w.deadline.CompareAndSwap(d, t.UnixNano()) {
			return
		}
	}
}
