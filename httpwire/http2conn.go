package httpwire

import (
	"net/http"
	"sync"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// http2Conn is the wire.Conn of one HTTP/2 connection.
//
// The reader of the connection is ahead of the server: a reset may come before
// its request's handler has attached. It is kept then, and told inside Attach:
// both happen under mu, so either Attach finds the reset or the reset finds the
// request. The same holds for the end of the connection, which is kept for good,
// and for a reset of ours. Of the client's reset and ours the first counts, and so it is
// with the end of the connection and our GOAWAY with an error.
type http2Conn struct {
	tcp *tcp // the connection below, nil if it is none
	srv *http.Server

	mu     sync.Mutex
	sinks  sinks
	anon   uint64 // last name given to a request whose stream can't be told
	early  earlyResets
	ours   earlyResets // resets by us
	gone   bool
	ev     wire.Event
	closed bool // by the server
	failed bool // by the server, which has said so and answers nobody any more
}

// anonymous is the first of the ids for requests whose stream is not known.
const anonymous = 1 << 32

func (c *http2Conn) Proto() uint8 { return wire.HTTP2 }

func (c *http2Conn) Outermost(h http.Handler) bool { return outermost(c.srv, h) }

func (c *http2Conn) Attach(w http.ResponseWriter, _ *http.Request, s wire.Sink) uint64 {
	return c.attach(streamID(w), s)
}

// attach does not register a sink whose end is known: who gives up the connection, or leaves, in the
// next moment must not end it first, for another reason.
func (c *http2Conn) attach(id uint64, s wire.Sink) uint64 {
	c.mu.Lock()
	if id == 0 {
		c.anon++
		id = anonymous + c.anon
	}
	ev, gone, over := c.ev, c.gone, c.failed
	if id < anonymous {
		if code, ok := c.early.attach(uint32(id)); ok {
			ev, gone = resetEvent(code), true
		}
		if _, ok := c.ours.attach(uint32(id)); ok {
			gone, over = false, true
		}
	}
	if !gone && !over {
		c.sinks.set(id, s)
	}
	c.mu.Unlock()
	switch {
	case gone:
		s.Gone(ev)
	case over:
		finished(s)
	}
	return id
}

func (c *http2Conn) Detach(id uint64, _ wire.Sink) {
	c.mu.Lock()
	c.sinks.remove(id)
	c.mu.Unlock()
}

// Judge finds what the frames have said already; for a request whose stream is
// not known, a reset that belongs to nobody else; and for one whose reset could not be
// kept, that.
func (c *http2Conn) Judge(id uint64, _ wire.Sink, _ error) (wire.Event, bool) {
	c.mu.Lock()
	if c.failed {
		c.mu.Unlock()
		return c.reason(), false // whatever the client did then
	}
	ev, gone := c.ev, c.gone
	someReset := wire.Event{Kind: wire.StreamReset, Source: wire.Frame}
	if !gone && id > anonymous && c.early.claim() {
		ev, gone = someReset, true
	}
	lost := id < anonymous && c.early.lost(uint32(id))
	c.mu.Unlock()
	if !gone && c.tcp != nil {
		ev, gone = c.tcp.ending()
	}
	if gone {
		return ev, true
	}
	if ev = c.reason(); lost && ev == (wire.Event{}) {
		return someReset, true
	}
	return ev, false
}

// reason says why we ended a request's context, as far as the connection knows.
func (c *http2Conn) reason() wire.Event {
	if c.tcp != nil {
		if e, ok := baseReason(c.tcp.base); ok {
			return e
		}
	}
	below := c.tcp != nil && !c.tcp.open() // Server.Close, which the server meets with and closes us after
	c.mu.Lock()
	defer c.mu.Unlock()
	if below || c.closed || c.failed {
		return wire.Event{Kind: wire.ServerClosed}
	}
	return wire.Event{}
}

func resetEvent(code uint32) wire.Event {
	return wire.Event{Kind: wire.StreamReset, Code: uint64(code), HasCode: true, Source: wire.Frame}
}

// reset is told of an RST_STREAM from the client.
func (c *http2Conn) reset(id, code uint32) {
	if c.tcp == nil {
		c.tell(id, code)
		return
	}
	c.tcp.unlessClosing(func() { c.tell(id, code) })
}

func (c *http2Conn) tell(id, code uint32) {
	c.mu.Lock()
	s := c.sinks.get(uint64(id))
	if s == nil && !c.failed && !c.ours.has(id) {
		c.early.keep(id, code)
	}
	c.mu.Unlock()
	if s != nil {
		s.Gone(resetEvent(code))
	}
}

// resetByUs is told of an RST_STREAM to the client: a deadline has passed, or the
// client broke the protocol. It gets no more of the response, and may leave. NO_ERROR comes
// behind a whole response (RFC 9113, 8.1), so that there is no handler to come.
func (c *http2Conn) resetByUs(id, code uint32) {
	c.mu.Lock()
	s := c.sinks.get(uint64(id))
	if s == nil && code != 0 && !c.gone && !c.early.has(id) {
		c.ours.keep(id, code)
	}
	c.mu.Unlock()
	if s != nil {
		finished(s)
	}
}

// failedByUs is told of a GOAWAY with an error to the client: none of its requests
// gets any more of its response, and it may leave.
func (c *http2Conn) failedByUs() {
	c.mu.Lock()
	c.failed = true
	sinks := c.sinks.all()
	c.mu.Unlock()
	for _, s := range sinks {
		finished(s)
	}
}

// finished says that s's client gets no more of its response.
func finished(s wire.Sink) {
	if w, ok := s.(*watch); ok {
		w.withdraw()
		w.complete()
	}
}

// note takes an error of the connection as evidence, if it is.
func (c *http2Conn) note(err error, source uint8) {
	ev, ok := classify(err, source)
	if ok && c.tcp != nil {
		ev = c.tcp.sharpen(ev)
	}
	switch {
	case !ok:
	case c.tcp == nil || source == wire.WriteErr:
		c.end(ev)
	default:
		c.tcp.unlessClosing(func() { c.end(ev) })
	}
}

// closing is called before the server closes the connection. It may have reasons
// of its own, such as a protocol error, and not have read up to the client's FIN.
func (c *http2Conn) closing() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	if c.tcp == nil {
		return
	}
	if ev, ok := c.tcp.ending(); ok {
		c.end(ev)
	}
}

// end makes ev the end of the connection, and tells all its requests.
func (c *http2Conn) end(ev wire.Event) {
	c.mu.Lock()
	if c.gone || c.failed {
		c.mu.Unlock()
		return
	}
	c.gone, c.ev = true, ev
	sinks := c.sinks.all()
	c.mu.Unlock()
	for _, s := range sinks {
		s.Gone(ev)
	}
}
