package httpwire

import (
	"net/http"
	"reflect"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// interim is the response that asks a client whether it is still there: RFC 2518,
// 10.1; RFC 9110, 15.2, has clients parse and ignore interim responses that they
// do not expect.
const interim = "HTTP/1.1 102 Processing\r\n\r\n"

// ask makes the request of w, under HalfCloseProbe, ask its client. It may be
// called with mu held. It does not wait for the write.
func (t *tcp) ask(w *watch, level uint8) {
	if w.half != nil && t.halfClose == HalfCloseProbe {
		go w.half.probe(level)
	}
}

// probe writes an interim response: the kernel of a client that has closed answers
// with a RST, which the monitor sees, and one that has half-closed takes it.
//
// It goes past net/http, as one write of the connection: net/http's own interim
// response (100) is one as well, and comes before or behind it. The handler's
// interim responses, of several writes, hold out. Its final one ends the asking,
// under out, before net/http gets the first of it; so does a Hijack; and so
// does the end of the handler, which waits here for a probe on its way. So no
// probe is written inside or behind a final response.
func (h *half) probe(level uint8) {
	h.out.Lock()
	defer h.out.Unlock()
	if !h.open || level <= h.asked || !h.t.asking() {
		return
	}
	h.asked = level
	if _, err := h.t.top.Write([]byte(interim)); err != nil {
		h.t.note(err, wire.WriteErr) // a wrapped connection has done so already
	}
}

// asking takes note, before the write, that a reset will be its answer. It
// returns false if we have closed the connection.
func (t *tcp) asking() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.gone || t.top == nil {
		return false
	}
	t.end.asked = true
	return true
}

// begin ends the asking: the final response begins.
func (h *half) begin() {
	if h == nil {
		return
	}
	h.out.Lock()
	h.open = false
	h.out.Unlock()
}

// serverWriter reports whether rw is net/http's own ResponseWriter, and whether
// the response has begun. A handler around ours that gives us a writer of its own
// may write past it, as http.TimeoutHandler does; one that has begun already can
// only be seen by a field that net/http keeps to itself. It is read on the
// handler's goroutine, which alone writes it. Where it is missing: begun.
func serverWriter(rw http.ResponseWriter) (own, begun bool) {
	v := reflect.ValueOf(rw)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return false, true
	}
	v = v.Elem()
	if v.Type().PkgPath() != "net/http" || v.Type().Name() != "response" {
		return false, true
	}
	f := v.FieldByName("wroteHeader")
	return true, f.Kind() != reflect.Bool || f.Bool()
}
