// Package clock is the time that all processes of a run share.
package clock

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in nanoseconds: the server's, the client's and C's.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // there is no such Linux
	}
	return t.Nano()
}

// Sleep sleeps and keeps the thread: no other has to be woken at its end.
func Sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	for d > 0 {
		// Raw: at the end of a plain one the runtime wakes threads of its own.
		_, _, err := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), uintptr(unsafe.Pointer(&t)), 0)
		if err != unix.EINTR {
			return
		}
	}
}

// SleepUntil sleeps until Now is at.
func SleepUntil(at int64) { Sleep(time.Duration(at - Now())) }

// Of returns when t was by Now. t has a monotonic reading.
func Of(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return int64(t.Sub(epoch)) + offset
}

var (
	epoch  = time.Now()
	offset = measureOffset()
)

// measureOffset returns Now at epoch, by the quickest of many tries.
func measureOffset() (offset int64) {
	best := int64(1 << 62)
	for range 1000 {
		before := Now()
		since := int64(time.Since(epoch))
		after := Now()
		if after-before < best {
			best, offset = after-before, (before+after)/2-since
		}
	}
	return offset
}
