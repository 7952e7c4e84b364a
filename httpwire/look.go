package httpwire

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// A look is the part of a watch that only a request needs that somebody looks at
// (OnDisconnect, or the context's Done, Err or token), or to which something
// happens: most have none. It is made once, by a compare-and-swap of
// watch.looked:
//
//	nil -> a look   look: the first who looks or cancels
//	nil -> over     finish: nobody has, before the handler's end
//
// Who else can be there:
//   - complete swaps end, then looks whether there is a look; look swaps looked,
//     then looks at end. So one of the two completes disc. Who gets the look from
//     a third goroutine before that may register on it: the registration is
//     forgotten, and nobody would fire it, as end is decided.
//   - Gone makes the look to cancel its tokens, if it is the first: who comes
//     later finds them cancelled.
//   - finish, where its swap wins, has nothing to close, join or unfollow, and
//     whoever comes later gets over: done, and registering on it does nothing.
//     Where it loses, there is a look, which it closes, however new it is.
type look struct {
	disc cancel.Token // what OnDisconnect registers on: about the client alone
	tok  cancel.Token // what r.Context() is about

	cancelling sync.Mutex

	arming sync.Mutex
	armed  atomic.Bool
	unjoin func() bool // stops following the parent

	streams []*stream // that the handler has made; guarded by arming
	ended   bool      // the handler has: no more streams; likewise
}

// over is what the requests have in common at which nobody looked before their
// handlers returned. Nothing of it changes, except that tok's Done channel is made.
var over = newOver()

func newOver() *look {
	l := new(look)
	l.armed.Store(true)
	l.ended = true
	l.disc.Close()
	l.tok.Cancel(context.Canceled)
	l.tok.Close()
	return l
}

// look returns w's look.
func (w *watch) look() *look {
	if l := w.looked.Load(); l != nil {
		return l
	}
	l := new(look)
	w.letSet(l)
	if !w.looked.CompareAndSwap(nil, l) {
		return w.looked.Load()
	}
	if w.end.Load() == &completed {
		l.disc.Complete()
	}
	return l
}

// arm makes the watch follow its parent context, once somebody looks.
func (w *watch) arm() *look {
	l := w.look()
	if l.armed.Load() {
		return l
	}
	l.arming.Lock()
	defer l.arming.Unlock()
	if l.armed.Load() {
		return l
	}
	if a, ok := w.conn.(wire.Armer); ok && w.end.Load() == nil {
		a.Arm(w.id, w)
	}
	if d, ok := w.parent.Deadline(); ok { // of a BaseContext; net/http sets none
		l.tok.Flag().SetDeadline(d)
	}
	l.unjoin = context.AfterFunc(w.parent, w.parentDone)
	l.armed.Store(true)
	return l
}

// disarm stops following the parent. A parentDone that runs already finds a
// decided watch. An arm that comes later does nothing.
func (l *look) disarm() {
	l.arming.Lock()
	defer l.arming.Unlock()
	if l.armed.Swap(true) {
		l.unjoin()
	}
}

// cancel cancels the context's token. Whoever loses waits until the winner has
// closed Done as well: a callback must find every derived context cancelled.
func (l *look) cancel(cause error) {
	l.cancelling.Lock()
	l.tok.Cancel(cause)
	l.cancelling.Unlock()
}

// close ends it with the handler, and returns when no callback of OnDisconnect
// runs or will. It returns their panics.
func (l *look) close() []*cancel.PanicError {
	l.disc.Close()
	l.disarm()
	l.cancel(context.Canceled)
	defer l.tok.Close() // after the callbacks, which may read its flag
	return drain(&l.disc)
}
