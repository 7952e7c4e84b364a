// Package goid tells goroutines apart.
package goid

import (
	"bytes"
	"runtime"
)

// Get returns the number of the calling goroutine, as stack traces print it
// ("goroutine 7 [running]:"). It is used for one question only: does a callback,
// or a Canceller's Reset, wait for itself? Nothing else tells: profiler labels and contexts are
// inherited by goroutines that the callback starts, and those may wait.
// It takes about a microsecond and is called once per callback that starts and
// once per wait for a running callback, never on a call nobody cancels.
func Get() uint64 {
	var buf [64]byte
	b := buf[:runtime.Stack(buf[:], false)]
	b = bytes.TrimPrefix(b, []byte("goroutine "))
	var id uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	return id
}
