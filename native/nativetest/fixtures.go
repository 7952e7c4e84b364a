//go:build cgo

package nativetest

/*
#cgo CFLAGS: -std=c11 -O2 -Wall -Wextra -Werror
#include "fixtures.h"
#include "stubborn.h"

// Calls through function pointers that Go has as unsafe.Pointer.
static int run_int(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; int (*f)(void *); } u = { .p = poll };
	return ht_run_int(u.f, user, ns, inside);
}
static int run_bool(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; bool (*f)(void *); } u = { .p = poll };
	return ht_run_bool(u.f, user, ns, inside);
}
*/
import "C"

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// ErrStopped is what a fixture returns when it was cancelled.
var ErrStopped = errors.New("nativetest: stopped")

// Inside is a word that a fixture sets once it runs, in memory pinned by the
// caller or global. A nil *Inside is not written.
type Inside struct{ word atomic.Uint64 }

// Set says that a fixture written in Go has entered.
func (in *Inside) Set() { in.word.Store(1) }

// Clear says that a fixture has returned.
func (in *Inside) Clear() { in.word.Store(0) }

// IsSet reports whether a fixture has entered.
func (in *Inside) IsSet() bool { return in.word.Load() != 0 }

// Wait waits until the fixture has entered, yielding the processor.
func (in *Inside) Wait() {
	for in.word.Load() == 0 {
		runtime.Gosched()
	}
}

// Read is the cheapest native call: it returns the word at p.
func Read(p unsafe.Pointer) uint64 { return uint64(C.ht_read(p)) }

// Spin computes in C until the word at p is set, for d at most.
func Spin(p unsafe.Pointer, d time.Duration, in *Inside) error {
	return stopped(C.ht_spin(p, C.uint64_t(d), unsafe.Pointer(in)))
}

// Slow is Spin, and looks at the word once in every: it is slow to notice, as a library
// that polls between passes (whisper.cpp).
func Slow(p unsafe.Pointer, every, d time.Duration, in *Inside) error {
	return stopped(C.ht_slow(p, C.uint64_t(every), C.uint64_t(d), unsafe.Pointer(in)))
}

// Seen is Spin, and returns the time by CLOCK_MONOTONIC at which the word was seen
// set, in nanoseconds, or 0 if it was not.
func Seen(p unsafe.Pointer, d time.Duration, in *Inside) int64 {
	return int64(C.ht_seen(p, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunInt computes in C and calls poll, an int (*)(void *), with user.
func RunInt(poll, user unsafe.Pointer, d time.Duration, in *Inside) error {
	return stopped(C.run_int(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunBool computes in C and calls poll, a bool (*)(void *), with user.
func RunBool(poll, user unsafe.Pointer, d time.Duration, in *Inside) error {
	return stopped(C.run_bool(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// Codes of the libraries whose callbacks give one.
const (
	Git2Stopped  = -7  // GIT_EUSER
	PCRE2Stopped = -37 // PCRE2_ERROR_CALLOUT
)

// An ABI computes in C and calls poll with user, as a library does whose callback
// has other parameters and answers than RunInt's. It returns 0 at the end of d, the code if
// the callback gives one, and otherwise 1.
type ABI func(poll, user unsafe.Pointer, d time.Duration, in *Inside) int

// RunCurl is an [ABI]: libcurl's.
func RunCurl(poll, user unsafe.Pointer, d time.Duration, in *Inside) int {
	return int(C.ht_run_curl(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunTesseract is an [ABI]: Tesseract's.
func RunTesseract(poll, user unsafe.Pointer, d time.Duration, in *Inside) int {
	return int(C.ht_run_tesseract(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunCode is an [ABI]: libgit2's and PCRE2's.
func RunCode(poll, user unsafe.Pointer, d time.Duration, in *Inside) int {
	return int(C.ht_run_code(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunGDAL is an [ABI]: GDAL's.
func RunGDAL(poll, user unsafe.Pointer, d time.Duration, in *Inside) int {
	return int(C.ht_run_gdal(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunLlamaLoad is an [ABI]: that of llama.cpp's model loading.
func RunLlamaLoad(poll, user unsafe.Pointer, d time.Duration, in *Inside) int {
	return int(C.ht_run_llama_load(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunMagick is an [ABI]: ImageMagick's.
func RunMagick(poll, user unsafe.Pointer, d time.Duration, in *Inside) int {
	return int(C.ht_run_magick(poll, user, C.uint64_t(d), unsafe.Pointer(in)))
}

// Sleep sleeps in C, with hangup_wait, until the flag at p is set, for d at most.
func Sleep(p unsafe.Pointer, d time.Duration, in *Inside) error {
	return stopped(C.ht_sleep(p, C.uint64_t(d), unsafe.Pointer(in)))
}

// SeenAsleep is Sleep, and returns the time as [Seen].
func SeenAsleep(p unsafe.Pointer, d time.Duration, in *Inside) int64 {
	return int64(C.ht_seen_asleep(p, C.uint64_t(d), unsafe.Pointer(in)))
}

// PollFD waits in poll(2) until fd is readable, for d at most.
func PollFD(fd int, d time.Duration, in *Inside) error {
	return stopped(C.ht_poll_fd(C.int(fd), C.uint64_t(d), unsafe.Pointer(in)))
}

// UntilExpired computes in C until hangup_expired of the flag at p, for d at most.
func UntilExpired(p unsafe.Pointer, d time.Duration, in *Inside) error {
	return stopped(C.ht_until_expired(p, C.uint64_t(d), unsafe.Pointer(in)))
}

// SleepUntilExpired sleeps in C, with hangup_wait without a limit, until
// hangup_expired of the flag at p, for d at most.
func SleepUntilExpired(p unsafe.Pointer, d time.Duration, in *Inside) error {
	return stopped(C.ht_sleep_until_expired(p, C.uint64_t(d), unsafe.Pointer(in)))
}

// Deadline is hangup_deadline of the flag at p: nanoseconds on the clock of Now.
func Deadline(p unsafe.Pointer) int64 { return int64(C.ht_deadline(p)) }

// Now is hangup_now.
func Now() int64 { return int64(C.ht_now()) }

// A Block is memory from malloc, owned by its maker, who frees it when no Stubborn
// can be under way.
type Block struct{ b *C.ht_block }

// NewBlock returns a block.
func NewBlock() Block { return Block{C.ht_block_new()} }

// Free frees the block.
func (b Block) Free() { C.ht_block_free(b.b) }

// Stubborn ignores every cancel: it reads b now and then until the word at until
// is set, for d at most. It reports whether b was as it should be at the end.
func Stubborn(b Block, until unsafe.Pointer, d time.Duration, in *Inside) (intact bool) {
	return C.ht_stubborn(b.b, until, C.uint64_t(d), unsafe.Pointer(in)) == C.ht_block_sum
}

func stopped(rc C.int) error {
	if rc != 0 {
		return ErrStopped
	}
	return nil
}
