package httpwire

import (
	"net/http"
	"reflect"
	"sync"
)

// streamID returns the id of the HTTP/2 stream that w answers, 0 if it can't be
// told. net/http and x/net keep it to themselves, in the same fields: they are
// read by reflection, once resolved for each type. Reading is safe: the fields
// are set before the handler is started, and not changed while it runs.
func streamID(w http.ResponseWriter) uint64 {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	v := reflect.ValueOf(w)
	if !v.IsValid() {
		return 0
	}
	path, ok := streamPaths.Load(v.Type())
	if !ok {
		path, _ = streamPaths.LoadOrStore(v.Type(), resolve(v.Type()))
	}
	steps := path.([]int)
	if steps == nil {
		return 0
	}
	for _, i := range steps {
		if v.IsNil() {
			return 0
		}
		v = v.Elem().Field(i)
	}
	return v.Uint()
}

var streamPaths sync.Map // reflect.Type -> []int, field indices through pointers

// resolve finds w.rws.stream.id in a pointer to a struct, nil if a step differs.
func resolve(t reflect.Type) (path []int) {
	for _, name := range []string{"rws", "stream", "id"} {
		if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			return nil
		}
		f, ok := t.Elem().FieldByName(name)
		if !ok || len(f.Index) != 1 {
			return nil
		}
		path = append(path, f.Index[0])
		t = f.Type
	}
	if t.Kind() != reflect.Uint32 && t.Kind() != reflect.Uint64 {
		return nil
	}
	return path
}
