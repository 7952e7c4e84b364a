package h3

import (
	"net/http"
	"reflect"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// streamOf returns the QUIC stream behind the ResponseWriter that http3 made, or
// nil if this version of http3 keeps it elsewhere.
//
// http3 has no way to reach it that leaves the response usable (HTTPStream takes
// the stream over), so this reads one unexported field by reflect: the writer's
// first field of type *http3.Stream. Its type is compared before the pointer is
// used, so that another layout gives nil and never a wrong pointer. It costs 10 ns
// and no allocation; what was rejected for it is in CONTRIBUTING.md.
func streamOf(w http.ResponseWriter) *quic.Stream {
	v := reflect.ValueOf(w)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	i := streamField(v.Type().Elem())
	if i < 0 {
		return nil
	}
	str := (*http3.Stream)(v.Elem().Field(i).UnsafePointer())
	if str == nil {
		return nil
	}
	return str.QUICStream()
}

// lastLayout is what streamField found last: all writers of a program are of one type.
var lastLayout atomic.Pointer[layout]

type layout struct {
	writer reflect.Type
	field  int // -1: none
}

// streamField returns the index of t's first field of type *http3.Stream, or -1.
func streamField(t reflect.Type) int {
	if l := lastLayout.Load(); l != nil && l.writer == t {
		return l.field
	}
	l := &layout{writer: t, field: -1}
	for i := range t.NumField() {
		if t.Field(i).Type == reflect.TypeFor[*http3.Stream]() {
			l.field = i
			break
		}
	}
	lastLayout.Store(l)
	return l.field
}
