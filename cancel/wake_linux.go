package cancel

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const futexWakePrivate = 1 | 128 // FUTEX_WAKE | FUTEX_PRIVATE_FLAG, futex(2)

// wake makes the eventfd readable and wakes the threads asleep on the word.
func (s *slot) wake() {
	if s.eventfd.Load() != 0 {
		s.signalEventFD()
	}
	// Raw, as it never blocks: the runtime must not take our processor away while
	// the token is locked. A thread adds itself to waiters before it checks the word and sleeps; we
	// store the word before we load waiters. One of the two sees the other.
	if s.waiters.Load() != 0 {
		unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Add(unsafe.Pointer(&s.word), lowHalf)), futexWakePrivate, math.MaxInt32)
	}
}

// lowHalf is where in the word its low half is: a futex has 32 bits.
var lowHalf = func() int {
	word := uint64(1)
	if *(*uint32)(unsafe.Pointer(&word)) == 1 {
		return 0
	}
	return 4
}()

func (s *slot) signalEventFD() {
	one := uint64(1) // raw, see wake; fails only if readable already
	unix.RawSyscall(unix.SYS_WRITE, uintptr(s.eventfd.Load()-1), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

func (s *slot) openEventFD() (int, error) {
	if s.eventfd.Load() == 0 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return -1, fmt.Errorf("cancel: eventfd: %w", err)
		}
		s.eventfd.Store(int32(fd) + 1) // before the look at the word: a setter sets that and then looks here
		if s.word.Load() != 0 {
			s.signalEventFD()
		}
	}
	return int(s.eventfd.Load() - 1), nil
}

// drainEventFD makes the descriptor unreadable for the slot's next owner.
func (s *slot) drainEventFD() {
	if s.eventfd.Load() != 0 {
		var count [8]byte
		unix.Read(int(s.eventfd.Load()-1), count[:])
	}
}

// monotonic returns t on the clock that C reads, CLOCK_MONOTONIC, in nanoseconds:
// at least 1. Go's own monotonic clock is the same one from another start.
func monotonic(t time.Time) int64 {
	if t != t.Round(0) { // a monotonic reading: no look at the clock, and the same answer each time
		d := int64(t.Sub(clockStart.time))
		return max(clockStart.ns+min(d, math.MaxInt64-clockStart.ns), 1)
	}
	d := time.Until(t)
	now := clockStart.now()
	if int64(d) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return max(now+int64(d), 1)
}

var clockStart = pairClocks(func() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // fails for a bad address only
	return ts.Nano()
})

// pairClocks reads both clocks at one time, as nearly as it can. The thread may lose its processor
// between the two, and the error would last as long as the process: so it takes the best of a few
// tries, and Go's clock first, as C that is told a deadline too early would stop before ctx is done.
func pairClocks(monotonic func() int64) (best clockPair) {
	gap := time.Duration(math.MaxInt64)
	for range 10 {
		p := clockPair{time: time.Now()}
		p.ns = monotonic()
		if d := time.Since(p.time); d < gap {
			gap, best = d, p
		}
	}
	return best
}
