package cancel_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/cancel"
)

func readable(t *testing.T, fd int) bool {
	t.Helper()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

// C6: an eventfd is readable when Cancel returns, also when it was made late, and
// its next owner gets it clear.
func TestToken_eventFD(t *testing.T) {
	tok := new(cancel.Token)
	fd, err := tok.EventFD()
	if err != nil {
		t.Fatal(err)
	}
	if readable(t, fd) {
		t.Fatal("readable before Cancel")
	}
	tok.Cancel(errGone)
	if !readable(t, fd) {
		t.Fatal("not readable after Cancel")
	}
	tok.Close()

	next := new(cancel.Token)
	defer next.Close()
	again, err := next.EventFD()
	if err != nil || again != fd {
		t.Fatalf("descriptor %d, %v; want the slot's own, %d", again, err, fd)
	}
	if readable(t, again) {
		t.Error("a reused eventfd is readable")
	}

	late := new(cancel.Token)
	defer late.Close()
	late.Cancel(errGone)
	if fd, err := late.EventFD(); err != nil || !readable(t, fd) {
		t.Errorf("an eventfd made after Cancel is not readable (%v)", err)
	}
}

// C6: a thread asleep on the word is woken inside Cancel.
func TestFlag_futex(t *testing.T) {
	for range 20 {
		tok := new(cancel.Token)
		f := tok.Flag()
		tid, woken := make(chan int, 1), make(chan struct{})
		go func() { defer close(woken); cancel.FutexWait(f, tid) }()
		asleep(t, within(t, "the waiter's thread", tid))
		tok.Cancel(errGone)
		within(t, "the futex waiter", woken)
		tok.Close()
	}
}

// asleep waits until the thread is inside the futex system call
// (/proc/pid/task/tid/syscall, proc(5)).
func asleep(t *testing.T, tid int) {
	t.Helper()
	name := fmt.Sprintf("/proc/self/task/%d/syscall", tid)
	call := fmt.Sprintf("%d ", unix.SYS_FUTEX)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		if data, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if strings.HasPrefix(string(data), call) {
			return
		}
	}
	t.Fatal("waited for the waiter to sleep")
}

// N2: a deadline that has passed by C's clock has passed by Go's: C that stops at it is not
// ahead of the deadline.
func TestFlag_deadlineNotEarly(t *testing.T) {
	var tok cancel.Token
	defer tok.Close()
	f := tok.Flag()
	word := (*atomic.Int64)(unsafe.Add(f.Pointer(), 16)) // slot's deadline
	for range 1000 {
		deadline := time.Now().Add(time.Hour)
		f.SetDeadline(deadline)
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		// At this moment C has left to go at least what Go, asked later, has.
		if c, g := time.Duration(word.Load()-ts.Nano()), time.Until(deadline); c < g {
			t.Fatalf("C has %v left, Go %v", c, g)
		}
	}
}
