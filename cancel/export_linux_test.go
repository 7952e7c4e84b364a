package cancel

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FutexWait sleeps like a C thread would until f is set: it announces itself
// before it looks at the word. It says first which thread it sleeps on.
func FutexWait(f Flag, tid chan<- int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid <- unix.Gettid()
	f.s.waiters.Add(1)
	defer f.s.waiters.Add(^uint32(0))
	for f.s.word.Load() == 0 {
		unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&f.s.word)), 0|128, 0, 0, 0, 0)
	}
}
