//go:build cgo

package nativetest

/*
#include "callback.h"
*/
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// PollTimes calls poll, an int (*)(void *), with user n times, in C, or until it says to
// stop, and returns how often.
func PollTimes(poll, user unsafe.Pointer, n int) int {
	return int(C.ht_poll_times(poll, user, C.uint64_t(n)))
}

// GoPoll returns a C function pointer of type int (*)(void *) to a Go function that
// reads the flag: what PollInt of package native is measured against.
func GoPoll() unsafe.Pointer { return C.ht_go_poll() }

//export hangupTestPoll
func hangupTestPoll(flag unsafe.Pointer) C.int {
	return C.int((*atomic.Uint64)(flag).Load())
}
