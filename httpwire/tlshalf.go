package httpwire

import (
	"crypto/tls"
	"io"
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

// isEOF reports whether the error is io.EOF, whoever holds the mutex. It compares the two words of the
// interface, and looks at nothing behind them: while another goroutine writes them, they are not both io.EOF's. If
// the end came before the caller was called, they are, and nobody writes them any more.
//
//go:norace
func (h tlsHalf) isEOF(c *tls.Conn) bool {
	if !h.known {
		return false
	}
	err := (*[2]uintptr)(unsafe.Add(unsafe.Pointer(c), h.err))
	eof := *(*[2]uintptr)(unsafe.Pointer(&io.EOF))
	return err[0] == eof[0] && err[1] == eof[1]
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
