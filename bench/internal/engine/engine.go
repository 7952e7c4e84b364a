// Package engine is the native code of a run: C whose every step is known.
package engine

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Werror
#cgo LDFLAGS: -lpthread
#include "engine.h"
*/
import "C"

import (
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/bench/internal/clock"
)

// Marks say when a run came to what, by the clock of package clock. C writes them; they may be
// read meanwhile. The zero Marks are those of a run that has not begun.
type Marks struct{ started, seen atomic.Int64 }

// Start says that a run that is not C's is inside.
func (m *Marks) Start() { m.started.Store(clock.Now()) }

// Started is when the run was inside, where a cancel is heard.
func (m *Marks) Started() int64 { return m.started.Load() }

// Seen is when the run saw that it is cancelled, 0 if it has not.
func (m *Marks) Seen() int64 { return m.seen.Load() }

// Reset makes the Marks those of the next run.
func (m *Marks) Reset() { m.started.Store(0); m.seen.Store(0) }

func (m *Marks) c() *C.be_marks { return (*C.be_marks)(unsafe.Pointer(m)) }

// A Word is the engine's own, which its cancel function sets. It belongs to who made it, who
// frees it when no run can be inside.
type Word struct{ p unsafe.Pointer }

// NewWord returns a word that is not set.
func NewWord() Word { return Word{C.be_word_new()} }

// Pointer is for the runs.
func (w Word) Pointer() unsafe.Pointer { return w.p }

// Cancel is the engine's cancel function, for any goroutine. It returns when the word was set.
func (w Word) Cancel() int64 { return int64(C.be_cancel(w.p)) }

// Reset takes a cancel back. No run may be inside.
func (w Word) Reset() { C.be_word_reset(w.p) }

// Free frees the word.
func (w Word) Free() { C.be_word_free(w.p) }

// The runs below return whether they were cancelled; if not, it took limit.

// Wait sleeps in C on the flag: a futex.
func Wait(flag unsafe.Pointer, limit time.Duration, m *Marks) bool {
	return C.be_wait(flag, C.int64_t(limit), m.c()) != 0
}

// A Pass is what an engine does between two looks.
type Pass struct {
	Every    time.Duration
	Computes bool // else it sleeps; the limit is then of the thread's processor time
}

func (p Pass) c() (every C.int64_t, compute C.int) {
	if p.Computes {
		compute = 1
	}
	return C.int64_t(p.Every), compute
}

// Poll looks at the flag between passes.
func Poll(flag unsafe.Pointer, p Pass, limit time.Duration, m *Marks) bool {
	every, compute := p.c()
	return C.be_poll(flag, every, compute, C.int64_t(limit), m.c()) != 0
}

// Callback is Poll for a library with an abort callback, int (*)(void *).
func Callback(poll, user unsafe.Pointer, p Pass, limit time.Duration, m *Marks) bool {
	every, compute := p.c()
	return C.be_callback(poll, user, every, compute, C.int64_t(limit), m.c()) != 0
}

// GoCallback is Callback with one in Go: stop is called from C.
func GoCallback(stop func() bool, p Pass, limit time.Duration, m *Marks) bool {
	h := cgo.NewHandle(stop)
	defer h.Delete()
	return Callback(C.be_go_poll(), unsafe.Pointer(&h), p, limit, m)
}

//export benchGoPoll
func benchGoPoll(h unsafe.Pointer) C.int {
	if (*cgo.Handle)(h).Value().(func() bool)() {
		return 1
	}
	return 0
}

// FD sleeps in poll(2) until fd is readable.
func FD(fd int, limit time.Duration, m *Marks) bool {
	return C.be_fd(C.int(fd), C.int64_t(limit), m.c()) != 0
}

// Read makes one read(2) of fd, and reports whether a signal freed it.
func Read(fd int, m *Marks) bool { return C.be_read(C.int(fd), m.c()) != 0 }

// Look reads the flag once: the cheapest native call there is.
func Look(flag unsafe.Pointer) uint64 { return uint64(C.be_look(flag)) }
