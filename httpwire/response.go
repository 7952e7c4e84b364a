package httpwire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// response is the ResponseWriter that a watched handler gets. It knows when the
// response is complete: from then on the client owes us nothing and may leave.
//
// The last write or flush is a race with a client that closes as soon as it has
// its answer. So while it is under way, evidence that the client has left is
// put aside: if the write succeeds, the response is complete and there was no
// disconnect; if it fails, the evidence stands.
type response struct {
	http.ResponseWriter
	w *watch

	wroteHeader bool
	head        bool
	asked       bool  // the handler has the header's map
	looked      bool  // at the declared Content-Length, in length
	direct      bool  // HTTP/3: something has gone out, and so does every write from here on
	buffered    int16 // by HTTP/2's and HTTP/3's writer: at most bufferSize
	status      int32
	last        atomic.Bool // the last write is under way
	length      int64       // -1 if none; see declared
	wrote       int64

	late atomic.Pointer[Disconnect] // what was put aside meanwhile
}

// bufferSize is that of the bufio.Writer in the responses of net/http's and
// x/net's HTTP/2, and of the small response that quic-go's HTTP/3 holds back: more
// than it holds goes out without a Flush.
const bufferSize = 4096

// Unwrap is for http.ResponseController. Who has the writer below may write to it:
// from here on the client is not asked whether it is there.
func (p *response) Unwrap() http.ResponseWriter {
	p.w.half.begin()
	return p.ResponseWriter
}

func (p *response) WriteHeader(status int) {
	p.header(status)
	if h := p.w.half; h != nil && !p.wroteHeader {
		h.out.Lock() // an interim response
		defer h.out.Unlock()
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *response) Write(b []byte) (int, error) {
	last := p.begin(len(b))
	if last {
		defer p.released()
	}
	n, err := p.ResponseWriter.Write(b)
	p.ended(n, last, err)
	return n, err
}

// WriteString saves the copy where the writer below can.
func (p *response) WriteString(s string) (int, error) {
	last := p.begin(len(s))
	if last {
		defer p.released()
	}
	n, err := io.WriteString(p.ResponseWriter, s)
	p.ended(n, last, err)
	return n, err
}

// Header is the handler's first step to a Content-Length. What it sets after the
// header was written does not count.
func (p *response) Header() http.Header {
	p.asked = true
	if p.wroteHeader {
		p.declared()
	}
	return p.ResponseWriter.Header()
}

// header takes note of a final header.
func (p *response) header(status int) {
	if p.wroteHeader || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	p.wroteHeader, p.status = true, int32(status)
	p.w.half.begin()
	if p.asked {
		p.declared()
	}
}

// declared returns the Content-Length of the header that was written, -1 if it has
// none. If nobody has asked for the header's map since before it was written, the
// map is what it was then; and who does not look saves its making: net/http makes
// and copies one only for those who ask.
func (p *response) declared() int64 {
	if p.looked {
		return p.length
	}
	p.looked = true
	if v := p.ResponseWriter.Header()["Content-Length"]; len(v) > 0 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n >= 0 {
			p.length = n
		}
		if te := p.ResponseWriter.Header()["Transfer-Encoding"]; p.w.proto == HTTP1 && len(te) > 0 && te[0] != "identity" {
			p.length = -1 // net/http drops the Content-Length; the last chunk goes out at the end
		}
	}
	return p.length
}

// begin takes note of a write of n bytes that is about to happen, and reports
// whether it completes the response without a Flush.
func (p *response) begin(n int) (last bool) {
	if !p.wroteHeader {
		p.header(http.StatusOK)
	}
	if p.bodiless() && !p.head {
		return false // refused below, and nothing is sent
	}
	if p.w.proto == HTTP1 {
		return p.beginHTTP1(int64(n))
	}
	held := int(p.buffered)
	if !p.hold(n) {
		return false
	}
	// A HEAD's stream ends with its header, which goes out with the first bytes, whatever stays behind.
	if (p.buffered == 0 || p.head && held+n > bufferSize) && p.complete(p.wrote+int64(n)) {
		p.beginLast()
		return true
	}
	return false
}

// hold keeps account of what the writer below buffers of a write of n bytes. It
// returns false if nothing of the response goes out without a Flush.
func (p *response) hold(n int) bool {
	switch {
	case p.w.proto != HTTP3:
		p.buffered = int16(buffer(int(p.buffered), n))
	case p.head:
		return false // http3 drops a HEAD's body, and sends the header when flushed
	case p.direct || int(p.buffered)+n >= bufferSize:
		p.buffered, p.direct = 0, true // http3 buffers the start of a response only
	default:
		p.buffered += int16(n)
	}
	return true
}

// buffer returns what a bufio.Writer holds after a write of n bytes.
func buffer(held, n int) int {
	switch {
	case n <= bufferSize-held:
		return held + n
	case held == 0:
		return 0 // handed on in one piece
	}
	return buffer(0, n-(bufferSize-held))
}

func (p *response) ended(n int, last bool, err error) {
	p.wrote += int64(n)
	p.w.half.writeFailed(err)
	if last {
		p.decide(p.sent(err))
	}
}

// flush flushes what is below, with one of its two methods.
func (p *response) flush() error {
	if !p.wroteHeader {
		p.header(http.StatusOK)
	}
	last := p.complete(p.wrote)
	if last {
		p.beginLast()
		defer p.released()
	}
	var err error
	switch f := p.ResponseWriter.(type) {
	case interface{ FlushError() error }:
		err = f.FlushError()
	case http.Flusher:
		f.Flush()
	}
	p.w.half.writeFailed(err)
	p.buffered, p.direct = 0, true
	if last {
		p.decide(err)
	}
	return err
}

// complete reports whether a response with so many bytes of body is whole.
func (p *response) complete(wrote int64) bool {
	return p.bodiless() || p.declared() >= 0 && wrote >= p.declared()
}

func (p *response) bodiless() bool {
	return p.head || p.status == http.StatusNoContent || p.status == http.StatusNotModified
}

// beginLast begins the last write: evidence is put aside.
func (p *response) beginLast() {
	p.last.Store(true)
	p.w.suspend()
}

// decide ends the last write. A response without a body can't have failed where
// nobody has left: HTTP/2 ends its stream with the header, and Flush may return
// that as an error.
func (p *response) decide(err error) {
	if err == nil || p.bodiless() && p.late.Load() == nil {
		p.w.complete() // before last: evidence that comes now has lost
	}
	p.release()
}

// released ends the last write if a panic of the writer below has: it has not happened.
func (p *response) released() {
	if p.last.Load() {
		p.release()
	}
}

// release lets evidence decide again.
func (p *response) release() {
	p.last.Store(false)
	// Either postpone stored before this load, and we see it; or its second look
	// at last comes after our store, and it goes on by itself.
	if d := p.late.Load(); d != nil {
		p.w.gone(d)
		if p.w.parent.Err() != nil {
			p.w.parentDone() // the first may have left it to us
		}
	}
	p.w.resume()
}

// undecided reports whether there is evidence that was put aside and that decide
// has still to deal with. If decide is just about to, undecided does it.
func (p *response) undecided() bool {
	d := p.late.Load()
	if d == nil {
		return false
	}
	if p.last.Load() {
		return true
	}
	p.w.gone(d)
	return false
}

// postpone puts d aside if the last write is under way.
func (p *response) postpone(d *Disconnect) bool {
	if !p.last.Load() {
		return false
	}
	p.late.CompareAndSwap(nil, d)
	return p.last.Load()
}

func (p *response) hijack() (net.Conn, *bufio.ReadWriter, error) {
	h := p.w.half
	if h != nil {
		h.out.Lock()
		defer h.out.Unlock()
	}
	c, rw, err := p.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		p.w.hijacked.Store(true)
		if h != nil {
			h.open = false
		}
	}
	return c, rw, err
}
