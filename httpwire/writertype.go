package httpwire

import (
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
)

// A writerType is what is known of a type of ResponseWriters. It is asked for every
// request, and what a server makes is of one type: so the last answer is kept where
// it is found by one comparison.
type writerType struct {
	typ    reflect.Type
	set    int       // of the optional interfaces
	stream *streamAt // nil: it has no HTTP/2 stream, or that can't be told
}

var (
	lastWriter  [HTTP3 + 1]atomic.Pointer[writerType] // by protocol
	writerTypes sync.Map                              // reflect.Type -> *writerType
)

func writerTypeOf(rw http.ResponseWriter, proto Protocol) *writerType {
	typ := reflect.TypeOf(rw)
	last := &lastWriter[min(proto, HTTP3)]
	if t := last.Load(); t != nil && t.typ == typ {
		return t
	}
	t, ok := writerTypes.Load(typ)
	if !ok {
		t, _ = writerTypes.LoadOrStore(typ, &writerType{typ, optional(rw), findStream(typ)})
	}
	last.Store(t.(*writerType))
	return t.(*writerType)
}
