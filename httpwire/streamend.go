package httpwire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// left returns the Disconnect, nil while the client is there as far as is known.
func (w *watch) left() *Disconnect {
	_ = (*requestContext)(w).Err() // evidence by the parent context may be on its way
	if d := w.end.Load(); d != &completed {
		return d
	}
	return nil
}

// broken returns the error of a stream whose write failed with err, nil if it was not tried;
// expired says that it was interrupted by ErrSendTimeout.
//
// The evidence that the client has left is mostly there before a write fails, as the
// connection is ours. Where it is not, it is asked for.
func (w *watch) broken(err error, expired bool) error {
	d := w.left()
	if d == nil && expired {
		return ErrSendTimeout
	}
	if d == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return &reason{text: ErrServerDeadline.Error(), alias: os.ErrDeadlineExceeded, err: err}
	}
	var reason error
	if d == nil {
		reason = w.inquire(err)
		d = w.left()
	}
	if d != nil {
		return d
	}
	if cause := context.Cause((*requestContext)(w)); cause != nil && cause != context.Canceled {
		reason = cause
	}
	if reason != nil {
		return fmt.Errorf("httpwire: stream: %w (%w)", reason, err)
	}
	return fmt.Errorf("httpwire: stream: %w", err)
}

// inquire looks whether a write failed with err because the client has left; if not, it
// returns the reason of our own, if one is known: HTTP/2's servers wake writers before they
// cancel the context that would say it.
func (w *watch) inquire(err error) (reason error) {
	if ev, ok := classify(err, wire.WriteErr); ok && w.proto == HTTP1 {
		w.Gone(ev) // of a connection that is not wrapped
	}
	if w.conn == nil {
		w.awaitParent()
	}
	ev, ok := w.judge(context.Cause(w.parent))
	if ok {
		w.Gone(ev)
		return nil
	}
	return reasonOf(ev, nil)
}

// evidenceWait bounds how long a write that failed waits for the server's context to
// be done, where that is the only evidence: x/net wakes writers before it cancels it.
const evidenceWait = 100 * time.Millisecond

func (w *watch) awaitParent() {
	timer := time.NewTimer(evidenceWait)
	defer timer.Stop()
	select {
	case <-w.parent.Done():
	case <-timer.C:
	}
}

// fail cancels the request's context, as a stream of it has failed. A flag that is lent is
// taken back first: see setting.
func (w *watch) fail(cause error) {
	w.withdraw()
	w.look().cancel(cause)
}

// addStream has s closed at the end of the handler. It returns false if that has been.
func (w *watch) addStream(s *stream) bool {
	l := w.look()
	l.arming.Lock()
	defer l.arming.Unlock()
	if l.ended {
		return false
	}
	l.streams = append(l.streams, s)
	return true
}

// closeStreams ends the streams of the handler, before its watch does, and returns
// their panics.
func (w *watch) closeStreams() (panics []*cancel.PanicError) {
	l := w.looked.Load()
	if l == nil {
		return nil
	}
	l.arming.Lock()
	streams := l.streams
	l.streams, l.ended = nil, true
	l.arming.Unlock()
	for _, s := range streams {
		panics = append(panics, s.close()...)
	}
	return panics
}
