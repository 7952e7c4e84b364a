//go:build cgo

package nativetest

/*
#cgo linux LDFLAGS: -lrt -lpthread
#include "blocking.h"
#if defined(__SANITIZE_THREAD__)
enum { defers_signals = 1 };
#else
enum { defers_signals = 0 };
#endif
*/
import "C"

import (
	"errors"
	"syscall"
	"unsafe"
)

// DefersSignals is whether C was built with ThreadSanitizer, which keeps a signal back
// until the thread calls a C function that it knows: a signal that Go's own
// system call lost is then not handled, and not repeated.
const DefersSignals = C.defers_signals != 0

// SystemCalls returns the names of the system calls that [Block] can make: those
// that a signal frees. There are none on systems other than Linux.
func SystemCalls() (names []string) {
	for name := C.ht_blocking_name(0); name != nil; name = C.ht_blocking_name(C.int(len(names))) {
		names = append(names, C.GoString(name))
	}
	return names
}

// BlockIn makes the i-th of the [SystemCalls] from C, once, where it blocks for good, and returns its
// error.
func BlockIn(i int, in *Inside) error {
	switch errno := C.ht_block(C.int(i), unsafe.Pointer(in)); {
	case errno < 0:
		return errors.New("nativetest: could not be prepared")
	case errno > 0:
		return syscall.Errno(errno)
	}
	return nil
}

// HoldMutex locks a mutex until release is called: LockMutex and WaitCondition wait for that.
func HoldMutex() (release func()) {
	C.ht_mutex_hold()
	return func() { C.ht_mutex_release() }
}

// LockMutex locks the mutex that HoldMutex holds, in C, and unlocks it.
func LockMutex(in *Inside) error { return failed(C.ht_mutex_lock(unsafe.Pointer(in))) }

// WaitCondition waits in pthread_cond_wait for the release.
func WaitCondition(in *Inside) error { return failed(C.ht_mutex_wait(unsafe.Pointer(in))) }

// Handle installs a C handler for a signal, as a library might.
func Handle(sig int) error { return failed(C.ht_handle(C.int(sig))) }

func failed(rc C.int) error {
	if rc != 0 {
		return syscall.Errno(rc)
	}
	return nil
}
