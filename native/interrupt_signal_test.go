//go:build cgo && linux

package native_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// The signal is chosen once per process, so each case has a process of its own.
var signalCases = map[string]func(t *testing.T){
	// N8: the program still gets what others send, and never sees ours.
	"chosen": func(t *testing.T) {
		must(t, native.SetInterruptSignal(36))
		must(t, native.SetInterruptSignal(36))
		refused(t, native.SetInterruptSignal(37), "signal 37", "use signal 36")
		ch := make(chan os.Signal, 100)
		signal.Notify(ch, syscall.Signal(36))
		mustInterrupt(t)
		must(t, unix.Kill(unix.Getpid(), 36))
		within(t, "a signal of somebody else", ch)
		if len(ch) != 0 {
			t.Error("os/signal saw a signal of ours")
		}
		assertConfined(t)
	},
	"notified": func(t *testing.T) {
		signal.Notify(make(chan os.Signal, 1), syscall.Signal(36))
		refused(t, native.SetInterruptSignal(36), "signal 36", "os/signal.Notify")
		must(t, native.SetInterruptSignal(37))
		mustInterrupt(t)
	},
	"ignored": func(t *testing.T) {
		signal.Ignore(syscall.Signal(36))
		refused(t, native.SetInterruptSignal(36), "signal 36", "ignores")
	},
	"not for programs": func(t *testing.T) {
		signal.Ignore(syscall.Signal(2)) // as a shell does for what it runs in the background
		signal.Notify(make(chan os.Signal, 1), syscall.Signal(10))
		for _, sig := range []int{-1, 0, 2, 10, 23, 27, 32, 33, 65} {
			refused(t, native.SetInterruptSignal(syscall.Signal(sig)), "signal", "not a real-time signal")
		}
		mustInterrupt(t)
		refused(t, native.SetInterruptSignal(36), "signal 36", "use signal 34")
	},
	"handled by C": func(t *testing.T) {
		must(t, nativetest.Handle(34))
		refused(t, native.SetInterruptSignal(34), "signal 34", "C code at 0x")
		_, err := native.Inline(t.Context(), func(c *native.Call) (int, error) {
			return 0, c.Interruptible(func() error { t.Error("called"); return nil })
		})
		refused(t, err, "signal 34", "C code at 0x")
		must(t, native.SetInterruptSignal(35))
		mustInterrupt(t)
	},
	// Ignore and then Notify is what takes a real-time signal away; it is told, and no
	// channel of the program's gets signals of ours.
	"taken later": func(t *testing.T) {
		must(t, native.SetInterruptSignal(36))
		mustInterrupt(t)
		ch := make(chan os.Signal, 100)
		signal.Ignore(syscall.Signal(36))
		signal.Notify(ch, syscall.Signal(36))
		_, err := native.Inline(t.Context(), func(c *native.Call) (int, error) {
			return 0, c.Interruptible(func() error { t.Error("called"); return nil })
		})
		refused(t, err, "signal 36", "os/signal")
	},
	"taken in the middle": func(t *testing.T) {
		must(t, native.SetInterruptSignal(36))
		ch := make(chan os.Signal, 100)
		var p [2]int
		must(t, unix.Pipe(p[:]))
		err := interrupted(t, native.Do[int], func(in *nativetest.Inside) error {
			signal.Ignore(syscall.Signal(36))
			signal.Notify(ch, syscall.Signal(36))
			in.Set()
			time.AfterFunc(50*time.Millisecond, func() { unix.Write(p[1], []byte{1}) })
			return read1(p[0])
		})
		if err != nil || len(ch) != 0 {
			t.Errorf("%v, and os/signal saw %d signals of ours", err, len(ch))
		}
	},
	// The kernel throws away what is on its way to a thread when the program ignores the
	// signal: nobody will ever handle it, and leaving must not wait for that.
	"ignored on its way": func(t *testing.T) {
		must(t, native.SetInterruptSignal(36))
		mustInterrupt(t)
		before, _, _ := native.SignalCounts()
		ctx, stop := context.WithCancelCause(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := native.Inline(ctx, func(c *native.Call) (int, error) {
				return 0, c.Interruptible(func() error {
					set := unix.Sigset_t{}
					set.Val[0] = 1 << (36 - 1)
					must(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)) // stands for: not delivered yet
					defer unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
					stop(errGone)
					for sent := before; sent == before; sent, _, _ = native.SignalCounts() {
						runtime.Gosched()
					}
					signal.Ignore(syscall.Signal(36))
					return nil
				})
			})
			over <- err
		}()
		must(t, within(t, "a section whose signal was thrown away", over))
	},
	"blocked": func(t *testing.T) {
		set := unix.Sigset_t{}
		set.Val[0] = 1 << (36 - 1)
		runtime.LockOSThread() // for good: the thread ends with the test
		must(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
		refused(t, native.SetInterruptSignal(36), "signal 36", "blocks it")
	},
	// 34 from elsewhere ended the program before; all others were the program's.
	"default": func(t *testing.T) {
		ch := make(chan os.Signal, 100)
		signal.Notify(ch)
		mustInterrupt(t)
		must(t, unix.Kill(unix.Getpid(), 34))
		must(t, unix.Kill(unix.Getpid(), syscall.SIGUSR1))
		for sig := range ch {
			if sig == syscall.Signal(34) {
				t.Error("os/signal saw signal 34")
			}
			if sig == syscall.SIGUSR1 {
				break
			}
		}
		assertConfined(t)
	},
}

func TestSetInterruptSignal(t *testing.T) {
	skipDeferred(t)
	const key = "HANGUP_SIGNAL_CASE"
	if name := os.Getenv(key); name != "" {
		signalCases[name](t)
		return
	}
	for name := range signalCases {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSetInterruptSignal$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), key+"="+name)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}

func mustInterrupt(t *testing.T) {
	t.Helper()
	err := interrupted(t, native.Do[int], func(in *nativetest.Inside) error {
		in.Set()
		return unix.Nanosleep(&unix.Timespec{Sec: 3600}, nil)
	})
	if !errors.Is(err, unix.EINTR) {
		t.Fatal(err)
	}
}
