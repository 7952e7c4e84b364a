package httpwire

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A Stream is a response that is produced as it goes: [NewEventStream],
// [NewNDJSON] and [NewChunks] make one. Its methods may be called from any
// goroutine until the handler returns; each Emit goes out in one piece. With
// heartbeats the ResponseWriter and its header are the stream's alone from then on.
//
// A stream that has failed, for whatever reason, writes nothing more, and its
// response does not end as a complete one does: it is cut off (the last chunk is
// missing on HTTP/1.1, the stream is reset on HTTP/2 and HTTP/3), also if nobody
// calls Emit after the client has left. So a client that has only half-closed can
// tell.
type Stream[T any] struct {
	*stream
	encode func(buf *[]byte, v T) ([]byte, error) // returns what to send; in *buf, if it needs room
}

// StreamOptions are the options of a stream. The zero value works, and so does a
// nil pointer.
type StreamOptions struct {
	// Heartbeat is the interval at which something is sent that means nothing: a
	// comment in an event stream, a blank line in NDJSON. It makes a connection
	// whose peer has vanished fail, and keeps proxies from taking a paused stream
	// for a dead one. None is sent while an Emit is under way, nor inside an event. The
	// first may be what begins the response. The zero value is none.
	//
	// Readers of NDJSON must be known to skip blank lines; [NewChunks], whose every
	// byte means something, refuses it. Without a server, in a test, none is sent.
	Heartbeat time.Duration

	// SendTimeout bounds each Emit and heartbeat, for clients that stay and stop
	// reading: one that takes longer fails with [ErrSendTimeout]. It counts beside
	// the server's WriteTimeout, which bounds the whole response and is left as it
	// is. The zero value is no bound.
	//
	// On HTTP/2 it takes the ResponseWriter's SetWriteDeadline. Where a handler around
	// the configured one hides that ([net/http.ResponseController] finds it by an Unwrap
	// method), or a client's socket takes nothing, the connection is broken a second
	// later, with its other streams.
	SendTimeout time.Duration
}

// ErrSendTimeout is the error of an Emit that took longer than
// StreamOptions.SendTimeout, and the cause of the request's context from then on. It
// is no disconnect. It matches os.ErrDeadlineExceeded.
var ErrSendTimeout error = &reason{"httpwire: send timeout passed", os.ErrDeadlineExceeded, nil}

var (
	errStreamOver  = errors.New("httpwire: Emit after the handler has returned")
	errWriterPanic = errors.New("the ResponseWriter has panicked")
)

// stream is the part of a Stream that does not depend on its type.
//
// It is open, then failed: err is nil, then set once. Sends, that is Emit and
// heartbeats, hold mu. A send that is blocked is woken by its interrupt (see
// there), on the goroutine of OnDisconnect's callback or of a timer. close, on the
// handler's goroutine, waits for the send under way and ends all of this, so that
// nobody touches the ResponseWriter after the handler.
//
// Lock order: mu, interrupt.mu.
type stream struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	done  <-chan struct{}
	watch *watch // nil in a test without a server

	mu  sync.Mutex
	err error
	buf []byte

	interrupt interrupt
	heart     heart
}

// mostKept is the size up to which a stream keeps its buffer.
const mostKept = 64 << 10

// A format is what streams differ in.
type format struct {
	contentType string
	only        bool   // whatever is set, it is this one
	beat        string // a heartbeat; "" where there can be none, and a Content-Length can
}

// newStream sets the header, then starts what ends with the handler: heartbeats, too,
// write the header.
func newStream(w http.ResponseWriter, r *http.Request, opts *StreamOptions, f format) (*stream, error) {
	if opts == nil {
		opts = &StreamOptions{}
	}
	if err := opts.check(f); err != nil {
		return nil, err
	}
	s := &stream{w: w, rc: http.NewResponseController(w), done: r.Context().Done(), watch: watchOf(r)}
	switch {
	case !canFlush(w):
		return nil, fmt.Errorf("httpwire: can't stream: neither the %T nor what it unwraps to has a Flush method: %w", w, http.ErrNotSupported)
	case s.watch == nil && onServer(r.Context()):
		return nil, ErrNotConfigured
	}
	if r.Method == http.MethodHead {
		s.err = http.ErrBodyNotAllowed // the header will do
	}
	f.header(w.Header())
	if s.watch == nil {
		return s, nil
	}
	s.interrupt.start(s.watch, opts.SendTimeout)
	if !s.watch.addStream(s) {
		s.close()
		return nil, errors.New("httpwire: can't stream: the handler has returned")
	}
	if opts.Heartbeat > 0 { // from here on close may be ahead of us
		s.heart.start(s, opts.Heartbeat, f.beat)
	}
	return s, nil
}

func (o *StreamOptions) check(f format) error {
	switch {
	case o.Heartbeat < 0 || o.SendTimeout < 0:
		return fmt.Errorf("httpwire: StreamOptions must not be negative: %+v", *o)
	case o.Heartbeat > 0 && f.beat == "":
		return errors.New("httpwire: StreamOptions.Heartbeat: a stream of bytes can't have one")
	}
	return nil
}

// canFlush reports whether http.ResponseController can flush w.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// header sets what the program has not set. A stream must not be stored;
// no-transform (RFC 9111, 5.2.2.6) keeps proxies, and middleware that honours it,
// from compressing it, and X-Accel-Buffering keeps nginx from collecting it.
func (f format) header(h http.Header) {
	if f.only {
		h.Del("Content-Type")
	}
	if f.beat != "" {
		h.Del("Content-Length")
	}
	for _, d := range [...][2]string{
		{"Content-Type", f.contentType},
		{"Cache-Control", "no-store, no-transform"},
		{"X-Accel-Buffering", "no"},
	} {
		if _, ok := h[d[0]]; !ok {
			h[d[0]] = []string{d[1]}
		}
	}
}

// Done returns a channel that is closed when there is no point in producing any
// more: the context of the request is done, because the client has left, a send has
// failed, or this end stops. It is that context's: nil in a test without a server.
func (s *stream) Done() <-chan struct{} { return s.done }

// Emit sends v and returns when it has been handed to the connection, which is not
// when the client has read it. A client that does not read makes it wait; one
// that leaves meanwhile ends the wait.
//
// The error is nil; or it matches [ErrDisconnected] and carries the [*Disconnect]
// (errors.As); or it is [ErrSendTimeout]; or [ErrServerDeadline], [ErrServerClosed] or another
// error of the connection's. After one of these nothing more is written, and every
// Emit returns the same. To a HEAD request every Emit returns http.ErrBodyNotAllowed.
//
// A v that can't be encoded is an error as well, but one of v: nothing is
// written, and the stream goes on. A panic, of v's methods or of a ResponseWriter, passes;
// after one of a ResponseWriter, which may have written a part, the stream has failed.
func (s *Stream[T]) Emit(v T) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.buf = s.buf[:0]
	b, err := s.encode(&s.buf, v)
	if err != nil {
		return err
	}
	err = s.send(b)
	if cap(s.buf) > mostKept {
		s.buf = nil
	}
	return err
}

// send writes b and flushes. mu is held.
func (s *stream) send(b []byte) error {
	if !s.interrupt.begin() {
		return s.fail(nil, false)
	}
	returned := false
	defer func() {
		if !returned {
			_ = s.fail(errWriterPanic, s.interrupt.end())
		}
	}()
	_, err := s.w.Write(b)
	if err == nil {
		err = s.rc.Flush()
	}
	returned = true
	if expired := s.interrupt.end(); err != nil || expired {
		return s.fail(err, expired)
	}
	return nil
}

// fail ends the stream, with err of a send, which may have expired. mu is held.
func (s *stream) fail(err error, expired bool) error {
	w := s.watch
	if w == nil {
		s.err = fmt.Errorf("httpwire: stream: %w", err)
		return s.err
	}
	s.err = w.broken(err, expired)
	w.fail(s.err) // for a producer that is paused
	w.cut()
	return s.err
}

// close ends the stream with its handler. It returns when no send is under way and
// no heartbeat will be. Panics of a ResponseWriter on our goroutines, and here, are returned.
func (s *stream) close() (panics []*cancel.PanicError) {
	s.heart.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := [...]*cancel.PanicError{s.heart.panic, s.interrupt.stop(), nil}
	if s.err == nil {
		s.err = errStreamOver
		if s.watch.left() != nil {
			all[2] = caught(s.watch.cut)
		}
	}
	for _, p := range all {
		if p != nil {
			panics = append(panics, p)
		}
	}
	return panics
}
