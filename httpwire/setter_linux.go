//go:build cgo

package httpwire

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Werror
#include "setter_linux.h"
*/
import "C"

import (
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// hasSetter says that this build has the thread.
const hasSetter = true

var _ = [1]struct{}{}[C.HANGUP_ARMED^entryArmed|C.HANGUP_FIRED^entryFired|C.HANGUP_SEEN^entrySeen|
	C.HANGUP_BUSY^entryBusy|C.HANGUP_WAITING^entryWaiting]

// startSetter starts the thread at its first call, and returns its epoll
// descriptor. It starts on a new goroutine: the caller's may be locked to a thread
// that was moved to a namespace, a processor or a user of its own, and the new
// thread would be as well, for good.
var startSetter = sync.OnceValues(func() (epfd int, err error) {
	started := make(chan int)
	go func() { started <- int(C.hangup_setter_start()) }()
	if epfd = <-started; epfd < 0 {
		return -1, fmt.Errorf("httpwire: the monitor's thread: %w", syscall.Errno(-epfd))
	}
	return epfd, nil
})

func newEntry(index uint32) *entry {
	return (*entry)(unsafe.Pointer(C.hangup_entry_new(C.uint32_t(index))))
}

// register makes the thread watch fd, which stays open meanwhile. An end that came
// before is an event as well.
func (e *entry) register(fd int) error {
	epfd, err := startSetter()
	if err != nil {
		return err
	}
	ev := event(e.data())
	return unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &ev)
}

func (e *entry) unregister(fd int) {
	epfd, _ := startSetter()
	_ = unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, fd, nil)
}

// wait returns when the thread has released e, or earlier: state's low half was low.
func (e *entry) wait(low uint32) {
	p := unsafe.Add(unsafe.Pointer(&e.state), lowHalf)
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(p), futexWaitPrivate, uintptr(low), 0, 0, 0)
}

// struckBy is what the monitor says of the event that e's flag was set for.
func (t *tcp) struckBy(e *entry) wire.Event {
	if e.events.Load()&unix.EPOLLHUP != 0 {
		return brokenEvidence(t.raw, wire.Monitor)
	}
	return wire.Event{Kind: wire.Closed, Err: io.EOF, Source: wire.Monitor}
}

// struckAt is when e's flag was set.
func struckAt(e *entry) time.Time {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // fails for a bad address only
	return time.Now().Add(time.Duration(e.stamp.Load() - ts.Nano()))
}

const futexWaitPrivate = 0 | 128 // FUTEX_WAIT | FUTEX_PRIVATE_FLAG, futex(2)

// lowHalf is where in a word its low half is: a futex has 32 bits.
var lowHalf = func() int {
	word := uint64(1)
	return 4 * int(1-*(*uint32)(unsafe.Pointer(&word)))
}()

// setFlags is what the thread does for an event.
func setFlags(data uint64, events uint32) { C.hangup_set_flags(C.uint64_t(data), C.uint32_t(events)) }

func setterPriority(priority int) error {
	if _, err := startSetter(); err != nil {
		return err
	}
	if errno := syscall.Errno(C.hangup_setter_priority(C.int(priority))); errno != 0 {
		return fmt.Errorf("httpwire: priority %d for the monitor's thread: %w", priority, errno)
	}
	return nil
}
