package native

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

var errNoInterrupt = fmt.Errorf("native: no interrupting signals on this system: %w", errors.ErrUnsupported)

// SetInterruptSignal chooses the signal of [Call.Interruptible] and installs its
// handler. It is for programs that use the default, which is SIGRTMIN of glibc, 34, and 36 with musl,
// for something else; it must come before the first Interruptible.
//
// The error, which names the signal, is for one that is not a real-time signal, has a handler
// already, is ignored, is blocked on the calling thread, or was given to
// os/signal.Notify by number; or for a handler that is installed already for another
// signal. Notify for all signals is no clash. The handler replaces that of the Go runtime, if there
// is one, and passes on to it what was not sent by this package: 34 is the only signal that the runtime never touches.
//
// On systems other than Linux the error matches [errors.ErrUnsupported].
func SetInterruptSignal(sig syscall.Signal) error {
	return interrupts.choose(int(sig))
}

// interruptSignal is decided once, by the first choice that succeeds.
type interruptSignal struct {
	installed atomic.Bool
	mu        sync.Mutex
	sig       int // written before installed
}

var interrupts interruptSignal

// ready installs the default signal's handler unless there is one.
func (i *interruptSignal) ready() error {
	if i.installed.Load() {
		return nil
	}
	if err := i.choose(defaultSignal()); err != nil && !i.installed.Load() { // not beaten by SetInterruptSignal
		return err
	}
	return nil
}

func (i *interruptSignal) choose(sig int) error {
	if defaultSignal() == 0 {
		return errNoInterrupt
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.installed.Load() {
		if i.sig == sig {
			return nil
		}
		return fmt.Errorf("native: signal %d refused: interrupts use signal %d already", sig, i.sig)
	}
	if err := install(sig); err != nil {
		return err
	}
	i.sig = sig
	i.installed.Store(true)
	return nil
}

func install(sig int) error {
	realTime := sig >= defaultSignal() // else installHandler says that it is none
	if realTime && signal.Ignored(syscall.Signal(sig)) {
		return fmt.Errorf("native: signal %d refused: the program ignores it", sig)
	}
	if realTime && notified(sig) {
		return fmt.Errorf("native: signal %d refused: os/signal.Notify has it", sig)
	}
	owner, errno := installHandler(sig, 0)
	if errno == syscall.EBUSY && isRuntime(owner) {
		owner, errno = installHandler(sig, owner)
	}
	switch errno {
	case 0:
		return nil
	case syscall.EBUSY:
		return takenError(sig, owner)
	case syscall.EINVAL:
		return fmt.Errorf("native: signal %d refused: not a real-time signal that a program may use", sig)
	case syscall.EDEADLK:
		return fmt.Errorf("native: signal %d refused: this thread blocks it", sig)
	default:
		return fmt.Errorf("native: signal %d: %w", sig, errno)
	}
}

// takenError says who handles a signal that is not ours.
func takenError(sig int, owner uintptr) error {
	who := fmt.Sprintf("C code at %#x", owner)
	switch f := runtime.FuncForPC(owner); {
	case owner == 0:
		who = "nobody (SIG_DFL)"
	case owner == 1:
		who = "nobody (SIG_IGN)"
	case f != nil:
		who = f.Name() + " (os/signal)"
	}
	return fmt.Errorf("native: signal %d is not ours: it is handled by %s", sig, who)
}

// isRuntime reports whether the handler is the one that the Go runtime has on every
// signal that it might be asked for.
func isRuntime(handler uintptr) bool {
	f := runtime.FuncForPC(handler)
	return f != nil && strings.HasPrefix(f.Name(), "runtime.")
}

// notified reports whether somebody waits for this very signal. The runtime does not say
// what Notify was asked for; but the thread on which it listens blocks all
// signals except those. A C thread that does the same is a clash as well.
func notified(sig int) bool {
	files, _ := filepath.Glob("/proc/self/task/*/status")
	for _, name := range files {
		status, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(status), "\nSigBlk:\t")
		mask, _, _ := strings.Cut(rest, "\n")
		blocked, err := strconv.ParseUint(mask, 16, 64)
		if err == nil && waitsFor(blocked, sig) {
			return true
		}
	}
	return false
}

// waitsFor: most real-time signals are blocked, and sig is not.
func waitsFor(blocked uint64, sig int) bool {
	const realTime = 35
	n := 0
	for s := realTime; s <= 64; s++ {
		if s != sig && blocked>>(s-1)&1 != 0 {
			n++
		}
	}
	return sig >= realTime && sig <= 64 && blocked>>(sig-1)&1 == 0 && n > (64-realTime)/2
}
