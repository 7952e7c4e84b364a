package httpwire

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// The optional interfaces of a ResponseWriter, as a set.
const (
	hasFlush = 1 << iota
	hasHijack
	hasPush
	hasReadFrom
	hasNotify // http.CloseNotifier, which is deprecated but still asked for
)

type closeNotifier interface{ CloseNotify() <-chan bool }

// optional returns the set of the optional interfaces of rw.
func optional(rw http.ResponseWriter) (set int) {
	if _, ok := rw.(http.Flusher); ok {
		set |= hasFlush
	}
	if _, ok := rw.(http.Hijacker); ok {
		set |= hasHijack
	}
	if _, ok := rw.(http.Pusher); ok {
		set |= hasPush
	}
	if _, ok := rw.(io.ReaderFrom); ok {
		set |= hasReadFrom
	}
	if _, ok := rw.(closeNotifier); ok {
		set |= hasNotify
	}
	return set
}

// present returns w's response as a ResponseWriter with exactly those of the optional
// interfaces that the one below has: many handlers choose by them. Its types are the
// response itself, with more methods: so net/http's own
// writers cost no allocation and no call. For others, CloseNotify is left out.
func (w *watch) present() http.ResponseWriter {
	p, fl := &w.rw.response, (*flushResponse)(&w.rw)
	hi, pu, rf := hijacker{p}, pusher{p}, readerFrom{p}
	set := writerTypeOf(p.ResponseWriter, w.proto).set
	switch set {
	case hasFlush | hasHijack | hasReadFrom | hasNotify:
		return (*http1Response)(&w.rw)
	case hasFlush | hasPush | hasNotify:
		return (*http2Response)(&w.rw)
	}
	switch set &^ hasNotify {
	case 0:
		return p
	case hasFlush:
		return fl
	case hasHijack:
		return struct {
			*response
			http.Hijacker
		}{p, hi}
	case hasFlush | hasHijack:
		return struct {
			*flushResponse
			http.Hijacker
		}{fl, hi}
	case hasPush:
		return struct {
			*response
			http.Pusher
		}{p, pu}
	case hasFlush | hasPush:
		return struct {
			*flushResponse
			http.Pusher
		}{fl, pu}
	case hasHijack | hasPush:
		return struct {
			*response
			http.Hijacker
			http.Pusher
		}{p, hi, pu}
	case hasFlush | hasHijack | hasPush:
		return struct {
			*flushResponse
			http.Hijacker
			http.Pusher
		}{fl, hi, pu}
	case hasReadFrom:
		return struct {
			*response
			io.ReaderFrom
		}{p, rf}
	case hasFlush | hasReadFrom:
		return struct {
			*flushResponse
			io.ReaderFrom
		}{fl, rf}
	case hasHijack | hasReadFrom:
		return struct {
			*response
			http.Hijacker
			io.ReaderFrom
		}{p, hi, rf}
	case hasFlush | hasHijack | hasReadFrom:
		return struct {
			*flushResponse
			http.Hijacker
			io.ReaderFrom
		}{fl, hi, rf}
	case hasPush | hasReadFrom:
		return struct {
			*response
			http.Pusher
			io.ReaderFrom
		}{p, pu, rf}
	case hasFlush | hasPush | hasReadFrom:
		return struct {
			*flushResponse
			http.Pusher
			io.ReaderFrom
		}{fl, pu, rf}
	case hasHijack | hasPush | hasReadFrom:
		return struct {
			*response
			http.Hijacker
			http.Pusher
			io.ReaderFrom
		}{p, hi, pu, rf}
	case hasFlush | hasHijack | hasPush | hasReadFrom:
		return struct {
			*flushResponse
			http.Hijacker
			http.Pusher
			io.ReaderFrom
		}{fl, hi, pu, rf}
	}
	panic("unreachable")
}

type (
	flushResponse struct{ response }
	http1Response struct{ response }
	http2Response struct{ response }

	hijacker   struct{ p *response }
	pusher     struct{ p *response }
	readerFrom struct{ p *response }
)

func (a *flushResponse) Flush()            { _ = a.flush() }
func (a *flushResponse) FlushError() error { return a.flush() }

func (a hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error)   { return a.p.hijack() }
func (a pusher) Push(target string, opts *http.PushOptions) error { return a.p.push(target, opts) }
func (a readerFrom) ReadFrom(src io.Reader) (int64, error)        { return a.p.readFrom(src) }

func (a *http1Response) Flush()                                       { _ = a.flush() }
func (a *http1Response) FlushError() error                            { return a.flush() }
func (a *http1Response) Hijack() (net.Conn, *bufio.ReadWriter, error) { return a.hijack() }
func (a *http1Response) ReadFrom(src io.Reader) (int64, error)        { return a.readFrom(src) }
func (a *http1Response) CloseNotify() <-chan bool                     { return a.closeNotify() }
func (a *http1Response) EnableFullDuplex() error                      { return a.fullDuplex() }
func (a *http1Response) SetReadDeadline(t time.Time) error            { return a.setRead(t) }
func (a *http1Response) SetWriteDeadline(t time.Time) error           { return a.setWrite(t) }

func (a *http2Response) Flush()            { _ = a.flush() }
func (a *http2Response) FlushError() error { return a.flush() }
func (a *http2Response) Push(target string, opts *http.PushOptions) error {
	return a.push(target, opts)
}
func (a *http2Response) CloseNotify() <-chan bool           { return a.closeNotify() }
func (a *http2Response) SetReadDeadline(t time.Time) error  { return a.setRead(t) }
func (a *http2Response) SetWriteDeadline(t time.Time) error { return a.setWrite(t) }

func (p *response) push(target string, opts *http.PushOptions) error {
	return p.ResponseWriter.(http.Pusher).Push(target, opts)
}

func (p *response) closeNotify() <-chan bool {
	return p.ResponseWriter.(closeNotifier).CloseNotify()
}

// fullDuplex writes nothing: unlike Unwrap it lets the client be asked.
func (p *response) fullDuplex() error {
	return http.NewResponseController(p.ResponseWriter).EnableFullDuplex()
}

func (p *response) setRead(t time.Time) error {
	if p.w.proto == HTTP1 {
		p.w.noteDeadline(t) // on HTTP/2 it ends the body, not the context
	}
	return http.NewResponseController(p.ResponseWriter).SetReadDeadline(t)
}

func (p *response) setWrite(t time.Time) error {
	p.w.noteDeadline(t)
	return http.NewResponseController(p.ResponseWriter).SetWriteDeadline(t)
}
