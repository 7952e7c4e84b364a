package engine

// #include "observer.h"
import "C"

import (
	"sync"
	"syscall"
)

// Observe has a thread in C, which does nothing else, note when the kernel tells of something on
// the socket, until that is closed: what anybody could have known at the earliest. The thread is started on
// first use and never ends.
func Observe(c syscall.Conn, number uint32) error {
	if err := startObserver(); err != nil {
		return err
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var errno C.int
	if err := rc.Control(func(fd uintptr) { errno = C.bo_watch(C.int(fd), C.uint32_t(number)) }); err != nil {
		return err
	}
	return failed(errno)
}

// FirstEvent returns when the kernel told of the first event at or after since on the
// socket that has the number. It is 0 if the kernel did not, or if others had read what there was
// before the observer's thread was awake.
func FirstEvent(number uint32, since int64) int64 {
	return int64(C.bo_first(C.uint32_t(number), C.int64_t(since)))
}

var startObserver = sync.OnceValue(func() error { return failed(C.bo_start()) })

func failed(errno C.int) error {
	if errno != 0 {
		return syscall.Errno(errno)
	}
	return nil
}
