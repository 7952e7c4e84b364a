package native

import (
	"runtime"
	"sync"

	"github.com/hangup-go/hangup/cancel"
)

// Interruptible calls f on the caller's goroutine and returns what f returned.
// From the moment the call is cancelled until f has returned, the thread that f
// runs on is sent a signal again and again, at first after 50 µs and then at growing intervals of up to
// 10 ms, so that a blocking system call in f, made from Go or C, fails with EINTR.
//
//	native.Do(ctx, func(c *native.Call) (int, error) {
//		return 0, c.Interruptible(func() error {
//			return unix.Flock(fd, unix.LOCK_EX) // EINTR once ctx is done
//		})
//	})
//
// It frees what returns EINTR: flock, fcntl locks, open of a FIFO, reads and writes
// of pipes and terminals, blocking sockets, waitpid, futexes, semaphores, message queues, sleeps, select, poll and
// epoll. It does not free C code that tries again after EINTR, as
// pthread_mutex_lock, pthread_cond_wait and most buffered input do; nor Go code that
// does or that waits for other goroutines: os.File, net and os/exec never come out, the
// functions of x/sys/unix and syscall do. What a system call has done before is
// kept: a write may return a count, and a connect that returned EINTR goes on.
//
// Sleeps, select, poll and their like fail with EINTR at any signal, those of the Go runtime
// too: if [Call.Cancelled] says false, call again.
//
// f stays on its thread (runtime.LockOSThread). Whatever else f calls there may see
// EINTR too. When Interruptible returns, after a panic and
// Goexit of f too, no signal is under way: none is ever handled outside f (N8).
// Interruptible may be used by several goroutines of one call at once.
//
// The handler is installed on first use; see [SetInterruptSignal]. If the signal
// can't be had, f is not called, and the error names the signal and who has it.
// On systems other than Linux the error matches [errors.ErrUnsupported].
func (c *Call) Interruptible(f func() error) error {
	t := c.token()
	if err := interrupts.ready(); err != nil {
		return err
	}
	s := sections.get()
	defer sections.put(s)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if owner, err := enterSection(s.c); err != 0 {
		return takenError(interrupts.sig, owner)
	}
	r := t.OnCancel(s.repeat)
	defer s.end(r) // after a panic and Goexit too
	return f()
}

// A section is a stretch of a call in which its thread may be sent signals. It
// belongs to one Interruptible at a time, which joins the kicker before it gives
// the section back (N4).
type section struct {
	c      *cSection
	ending chan struct{} // one place: ends the kicker
	repeat func(error)   // the kicker: a callback of the token
}

func newSection() *section {
	s := &section{c: newCSection(), ending: make(chan struct{}, 1)}
	kick := func() bool { kickSection(s.c); return true }
	s.repeat = func(error) { repeatUntil(s.ending, kick) }
	return s
}

// end returns, on the thread of the section, when every signal sent has been
// handled and the kicker is gone (N3).
func (s *section) end(r cancel.Registration) {
	leaveSection(s.c) // first: a kicker that is still running finds nobody inside
	if r.Stop() {
		return
	}
	s.ending <- struct{}{}
	r.StopAndWait()
	select {
	case <-s.ending: // there was no kicker: the token had been completed
	default:
	}
}

// sectionList keeps sections, and with them their C memory, for later calls: as
// many as were ever in use at once.
type sectionList struct {
	mu   sync.Mutex
	free []*section
}

var sections sectionList

func (l *sectionList) get() *section {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.free)
	if n == 0 {
		return newSection()
	}
	s := l.free[n-1]
	l.free = l.free[:n-1]
	return s
}

func (l *sectionList) put(s *section) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, s)
}
