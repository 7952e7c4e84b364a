//go:build cgo

package native

/*
#cgo CFLAGS: -std=c11 -O2 -Wall -Wextra -Werror
#include "native.h"
*/
import "C"

import "unsafe"

const supported = true

// PollInt returns a C function pointer of type int (*)(void *) for libraries
// with an abort or progress callback that stops them when it returns non-zero:
// SQLite's progress handler, FFmpeg's AVIOInterruptCB, IPASIR's terminate. Pass
// the flag's Pointer as its user data. It never calls into Go.
func PollInt() unsafe.Pointer { return C.hangup_poll_int_ptr() }

// PollBool is PollInt for bool (*)(void *), true stops: ggml, llama.cpp,
// whisper.cpp.
func PollBool() unsafe.Pointer { return C.hangup_poll_bool_ptr() }
