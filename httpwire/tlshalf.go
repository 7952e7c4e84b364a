package httpwire

import (
	"crypto/tls"
	"reflect"
	"sync"
	"unsafe"
)

// A tlsHalf is where a tls.Conn keeps the error that ended one of its directions, behind
// a mutex that whoever reads or writes holds. Both are unexported, and found by reflection;
// types are compared. In a version of crypto/tls that has them elsewhere, nothing is known.
type tlsHalf struct {
	known   bool
	mu, err uintptr // offsets
}

var tlsInput, tlsOutput = findTLSHalf("in"), findTLSHalf("out")

func findTLSHalf(name string) tlsHalf {
	half, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || half.Type.Kind() != reflect.Struct {
		return tlsHalf{}
	}
	mu, ok := half.Type.FieldByName("Mutex")
	err, ok2 := half.Type.FieldByName("err")
	return tlsHalf{
		known: ok && ok2 && mu.Type == reflect.TypeFor[sync.Mutex]() && err.Type == reflect.TypeFor[error]() && len(err.Index) == 1,
		mu:    half.Offset + mu.Offset,
		err:   half.Offset + err.Offset,
	}
}

// load returns the error, nil if there is none. It does not wait: free is false if the
// mutex is held.
func (h tlsHalf) load(c *tls.Conn) (free bool, err error) {
	if !h.known {
		return true, nil
	}
	mu := (*sync.Mutex)(unsafe.Add(unsafe.Pointer(c), h.mu))
	if !mu.TryLock() {
		return false, nil
	}
	defer mu.Unlock()
	return true, *(*error)(unsafe.Add(unsafe.Pointer(c), h.err))
}
