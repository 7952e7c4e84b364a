//go:build cgo

package native

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Werror
#include "native.h"
#include "interrupt.h"
*/
import "C"

import (
	"syscall"
	"unsafe"
)

const supported = true

// PollInt returns a C function pointer of type int (*)(void *) for libraries
// with an abort or progress callback that stops them when it returns non-zero:
// SQLite's progress handler, FFmpeg's AVIOInterruptCB, IPASIR's terminate. Pass
// the flag's Pointer as its user data. It never calls into Go.
func PollInt() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_INT) }

// The functions below are PollInt for libraries that call back with more, or
// mean something else by the answer. The flag's Pointer is the user data, which
// is the last parameter where not said otherwise.

// PollCurl is for libcurl's CURLOPT_XFERINFOFUNCTION, with the pointer as
// CURLOPT_XFERINFODATA: int (*)(void *, curl_off_t x 4), where the pointer comes
// first and non-zero stops. libcurl calls it once a second when nothing arrives; for
// less, give its multi interface [Call.EventFD].
func PollCurl() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_CURL) }

// PollTesseract is for ETEXT_DESC's cancel: bool (*)(void *, int), where the
// pointer, cancel_this, comes first and true stops.
func PollTesseract() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_TESSERACT) }

// PollGit2 is for libgit2's progress callbacks: int (*)(const T *, void *), where
// a negative answer stops and is returned: GIT_EUSER, -7.
func PollGit2() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_GIT2) }

// PollPCRE2 is for pcre2_set_callout: int (*)(pcre2_callout_block *, void *),
// where a negative answer stops and is returned: PCRE2_ERROR_CALLOUT, -37. It is called where the
// pattern has callouts, as with PCRE2_AUTO_CALLOUT.
func PollPCRE2() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_PCRE2) }

// PollGDAL is a GDALProgressFunc: int (*)(double, const char *, void *), where 0
// stops.
func PollGDAL() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_GDAL) }

// PollLlamaLoad is llama_model_params' progress_callback: bool (*)(float, void *),
// where false stops the loading.
func PollLlamaLoad() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_LLAMA_LOAD) }

// PollMagick is a MagickProgressMonitor: MagickBooleanType (*)(const char *,
// MagickOffsetType, MagickSizeType, void *), where MagickFalse, 0, stops.
func PollMagick() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_MAGICK) }

// PollBool is PollInt for bool (*)(void *), true stops: ggml, llama.cpp,
// whisper.cpp.
func PollBool() unsafe.Pointer { return C.hangup_poll_ptr(C.HANGUP_BOOL) }

// The C side of interrupt.go. A cSection is off the Go heap and never freed.
type cSection = C.hangup_section

func newCSection() *cSection { return C.hangup_section_new() }

func enterSection(s *cSection) (owner uintptr, err syscall.Errno) {
	errno := C.hangup_section_enter(s, &s.owner)
	return uintptr(s.owner), syscall.Errno(errno)
}

func leaveSection(s *cSection) { C.hangup_section_leave(s) }

func kickSection(s *cSection) { C.hangup_section_kick(s) }

func defaultSignal() int { return int(C.hangup_default_signal()) }

// installHandler takes the signal over from nobody, or from goHandler, if that is
// not 0.
func installHandler(sig int, goHandler uintptr) (owner uintptr, err syscall.Errno) {
	var o C.uintptr_t
	C.hangup_chain(C.uintptr_t(goHandler))
	errno := C.hangup_install(C.int(sig), &o)
	return uintptr(o), syscall.Errno(errno)
}

func signalCounts() (sent, inside, outside uint64) {
	var s, i, o C.uint64_t
	C.hangup_signal_counts(&s, &i, &o)
	return uint64(s), uint64(i), uint64(o)
}
