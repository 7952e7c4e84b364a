// Package spin is a native call that computes for as long as it is told: the
// thing to try hang-ups on.
package spin

// #cgo CFLAGS: -O2 -Wall -Wextra -Werror
// #include "spin.h"
import "C"

import (
	"errors"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// ErrStopped is what the call itself says when it saw its flag set.
var ErrStopped = errors.New("spin: stopped by the flag")

// Spin computes on the calling goroutine, in C, for d of the monotonic clock,
// and returns how long it took. Once flag is set it returns within a microsecond
// or so of processor time, with ErrStopped.
func Spin(flag cancel.Flag, d time.Duration) (time.Duration, error) {
	var stopped C.int
	ran := time.Duration(C.hangup_spin(C.int64_t(d), (*C.int64_t)(flag.Pointer()), &stopped))
	if stopped != 0 {
		return ran, ErrStopped
	}
	return ran, nil
}
