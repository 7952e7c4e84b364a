package httpwire

import (
	"net/http"
	"reflect"
	"unsafe"
)

// streamID returns the id of the HTTP/2 stream that w answers, 0 if it can't be
// told. net/http and x/net keep it to themselves, in the same fields: they are
// found by reflection, once for each type. Reading is safe: the fields
// are set before the handler is started, and not changed while it runs.
func streamID(w http.ResponseWriter) uint64 {
	for w != nil {
		if at := writerTypeOf(w, HTTP2).stream; at != nil {
			return at.read(reflect.ValueOf(w).UnsafePointer())
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return 0
}

// streamAt says where w.rws.stream.id is, as offsets.
type streamAt struct {
	rws, stream, id uintptr
	wide            bool // id is a uint64, else a uint32
}

func (at *streamAt) read(w unsafe.Pointer) uint64 {
	for _, offset := range [...]uintptr{at.rws, at.stream} {
		if w == nil {
			return 0
		}
		w = *(*unsafe.Pointer)(unsafe.Add(w, offset))
	}
	switch id := unsafe.Add(w, at.id); {
	case w == nil:
		return 0
	case at.wide:
		return *(*uint64)(id)
	default:
		return uint64(*(*uint32)(id))
	}
}

// findStream finds w.rws.stream.id in a pointer to a struct, nil if a step differs. It
// compares kinds before anything is used: another layout gives nil, never a wrong pointer.
func findStream(t reflect.Type) *streamAt {
	var offsets [3]uintptr
	for i, name := range []string{"rws", "stream", "id"} {
		if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			return nil
		}
		f, ok := t.Elem().FieldByName(name)
		if !ok || len(f.Index) != 1 {
			return nil
		}
		offsets[i], t = f.Offset, f.Type
	}
	if t.Kind() != reflect.Uint32 && t.Kind() != reflect.Uint64 {
		return nil
	}
	return &streamAt{offsets[0], offsets[1], offsets[2], t.Kind() == reflect.Uint64}
}
