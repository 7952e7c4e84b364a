package httpwire

import (
	"bufio"
	"errors"
	"net/http"
	"reflect"
	"sync"
)

// errHeld says that a part of the response has not left net/http yet.
var errHeld = errors.New("httpwire: response is still buffered")

// beginHTTP1 is begin for HTTP/1, where a response can complete without a Flush
// too: by a write that leaves nothing in the buffers below. How much they hold
// depends on the header, so it is looked up afterwards, by sent. Until then
// evidence is put aside; if something is left, the client has not got it all,
// and the evidence stands.
func (p *response) beginHTTP1(n int64) (last bool) {
	// A length that was set outside of our writer is not looked for: that would
	// make net/http copy the header.
	if p.head || p.length <= 0 || p.wrote+n < p.length {
		return false // with a body of 0 bytes, empty buffers do not say that the header has gone
	}
	p.beginLast()
	return true
}

// sent returns the error of a write that may have been the last one: err, or
// errHeld if it has not all gone out.
func (p *response) sent(err error) error {
	if err != nil || p.w.proto != HTTP1 {
		return err
	}
	if n, ok := held(p.ResponseWriter); !ok || n > 0 || p.wrote < p.length {
		return errHeld
	}
	return nil
}

// held returns how many bytes net/http's HTTP/1 server still holds of the
// response that rw writes; false if rw is not its own writer. A response goes
// through two bufio.Writers, of the response and of the connection. They are
// unexported, and found by reflection, once resolved for each type. Looking is
// safe on the handler's goroutine after a write: no other uses them then.
//
// A writer that is wrapped is not looked through: it may hold something itself.
func held(rw http.ResponseWriter) (n int, ok bool) {
	v := reflect.ValueOf(rw)
	if !v.IsValid() {
		return 0, false
	}
	found, ok := http1Buffers.Load(v.Type())
	if !ok {
		found, _ = http1Buffers.LoadOrStore(v.Type(), findBuffers(v.Type()))
	}
	at := found.(*buffersAt)
	if at == nil || v.IsNil() {
		return 0, false
	}
	conn := v.Elem().Field(at.conn)
	if conn.IsNil() {
		return 0, false
	}
	first := (*bufio.Writer)(v.Elem().Field(at.w).UnsafePointer())
	second := (*bufio.Writer)(conn.Elem().Field(at.bufw).UnsafePointer())
	if first == nil || second == nil {
		return 0, false // hijacked
	}
	return first.Buffered() + second.Buffered(), true
}

var http1Buffers sync.Map // reflect.Type -> *buffersAt, nil where they are missing

// buffersAt says where the buffers are, as field indices.
type buffersAt struct{ w, conn, bufw int }

// findBuffers finds w.w and w.conn.bufw in net/http's *response. It compares types
// before anything is used: another layout gives nil, never a wrong pointer.
func findBuffers(t reflect.Type) *buffersAt {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || t.Elem().PkgPath() != "net/http" {
		return nil
	}
	buffer := reflect.TypeFor[*bufio.Writer]()
	w, ok := t.Elem().FieldByName("w")
	conn, ok2 := t.Elem().FieldByName("conn")
	if !ok || !ok2 || len(w.Index) != 1 || len(conn.Index) != 1 || w.Type != buffer ||
		conn.Type.Kind() != reflect.Pointer || conn.Type.Elem().Kind() != reflect.Struct {
		return nil
	}
	bufw, ok := conn.Type.Elem().FieldByName("bufw")
	if !ok || len(bufw.Index) != 1 || bufw.Type != buffer {
		return nil
	}
	return &buffersAt{w.Index[0], conn.Index[0], bufw.Index[0]}
}
