package httpwire

import (
	"context"
	"net/http"
	"sync"
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
type watch struct {
	end  atomic.Pointer[Disconnect] // nil: active; &completed; else gone
	disc cancel.Token               // what OnDisconnect registers on: about the client alone
	tok  cancel.Token               // what r.Context() is about

	parent context.Context // of the request as the server made it
	conn   wire.Conn       // nil: the context fallback
	id     uint64          // conn's name for the request
	proto  Protocol
	since  time.Time // start, where the context fallback may be needed
	body   bool      // whether there is one, likewise

	cancelling sync.Mutex

	arming sync.Mutex
	armed  atomic.Bool
	unjoin func() bool // stops following parent

	hijacked atomic.Bool
	deadline atomic.Int64 // earliest deadline that the handler set

	half *half // nil under HalfCloseGone

	streams []*stream // that the handler has made; guarded by arming

	rw  response
	ctx requestContext
	req http.Request
}

var completed Disconnect

// newWatch begins to watch r. The caller must call finish.
func newWatch(rw http.ResponseWriter, r *http.Request, conn wire.Conn) *watch {
	w := &watch{parent: r.Context(), conn: conn, proto: Protocol(r.ProtoMajor)}
	w.rw = response{ResponseWriter: rw, w: w, length: -1, head: r.Method == http.MethodHead}
	w.ctx.w = w
	if r.Trailer == nil && w.proto == HTTP1 && r.ContentLength < 0 {
		r.Trailer = make(http.Header) // net/http merges trailers into its own request's: share the map
	}
	w.req = *r.WithContext(&w.ctx)
	w.half = newHalf(w, rw, r)
	if conn == nil || w.bare() {
		w.since, w.body = time.Now(), r.Body != http.NoBody
	}
	return w
}

// Gone implements wire.Sink.
func (w *watch) Gone(e wire.Event) {
	if w.end.Load() != nil {
		return
	}
	d := &Disconnect{
		Proto: w.proto, Kind: Kind(e.Kind), Code: e.Code, HasCode: e.HasCode,
		Err: e.Err, Time: time.Now(), Source: Source(e.Source),
	}
	if w.rw.postpone(d) {
		return // the last write is on its way: its outcome decides
	}
	w.gone(d)
}

// Ended implements wire.Sink. A connection that was taken over is its new owner's
// to close.
func (w *watch) Ended(e wire.Event) {
	if !w.hijacked.Load() {
		w.cancel(reasonOf(e, context.Canceled))
	}
}

func (w *watch) gone(d *Disconnect) {
	if w.end.CompareAndSwap(nil, d) {
		w.tell(d)
	}
}

// tell cancels both tokens, flag first. It may be called by several goroutines.
func (w *watch) tell(d *Disconnect) {
	w.cancel(d)
	w.disc.Cancel(d)
}

// cancel cancels the context's token. Whoever loses waits until the winner has
// closed Done as well: a callback must find every derived context cancelled.
func (w *watch) cancel(cause error) {
	w.cancelling.Lock()
	w.tok.Cancel(cause)
	w.cancelling.Unlock()
}

// complete ends the watch, not the context: the client has all it wanted, and
// may leave.
func (w *watch) complete() {
	if w.end.CompareAndSwap(nil, &completed) {
		w.disc.Complete()
	}
}

// finish ends the watch and its context, and returns when no callback of
// OnDisconnect runs or will. It returns their panics.
func (w *watch) finish() []*cancel.PanicError {
	if !w.end.CompareAndSwap(nil, &completed) {
		if d := w.end.Load(); d != &completed {
			w.tell(d) // Gone swapped, and may not have got any further
		}
	}
	w.disc.Close()
	if w.conn != nil {
		w.conn.Detach(w.id, w)
	}
	w.disarm()
	w.cancel(context.Canceled)
	w.half.close()
	defer w.tok.Close() // after the callbacks, which may read its flag
	return drain(&w.disc)
}

// arm makes the watch follow its parent context, once somebody looks.
func (w *watch) arm() {
	if w.armed.Load() {
		return
	}
	w.arming.Lock()
	defer w.arming.Unlock()
	if w.armed.Load() {
		return
	}
	if a, ok := w.conn.(wire.Armer); ok && w.end.Load() == nil {
		a.Arm(w.id, w)
	}
	if d, ok := w.parent.Deadline(); ok { // of a BaseContext; net/http sets none
		w.tok.Flag().SetDeadline(d)
	}
	w.unjoin = context.AfterFunc(w.parent, w.parentDone)
	w.armed.Store(true)
}

// disarm stops following the parent. A parentDone that runs already finds a
// decided watch. An arm that comes later does nothing.
func (w *watch) disarm() {
	w.arming.Lock()
	defer w.arming.Unlock()
	if w.armed.Swap(true) {
		w.unjoin()
	}
}

// parentDone ends the context when its parent is done. Evidence comes first: if
// it was the client, the cause has to say so.
func (w *watch) parentDone() {
	cause := context.Cause(w.parent)
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
	if d := w.end.Load(); d != nil && d != &completed {
		w.tell(d) // another goroutine's Gone may have swapped, and got no further
	}
	w.cancel(cause)
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
	if !gone && w.bare() && w.conn.(*tcp).endedAbove(cause) {
		if e, gone = w.judgeContext(cause); gone && w.half != nil {
			return w.half.t.spareAbove(), false
		}
		return e, gone
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
	return ok && (srv.ReadTimeout > 0 && w.body ||
		srv.WriteTimeout > 0 && now.Sub(w.since) >= srv.WriteTimeout-time.Second)
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
