//go:build cgo && linux

package native_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// goCalls are system calls that Go makes itself and that block for good. Each
// prepares what it needs and returns the call proper.
var goCalls = map[string]func(t *testing.T) func() error{
	"flock": func(t *testing.T) func() error {
		held, fd := lockable(t)
		must(t, unix.Flock(held, unix.LOCK_EX))
		return func() error { return unix.Flock(fd, unix.LOCK_EX) }
	},
	"F_OFD_SETLKW": func(t *testing.T) func() error {
		held, fd := lockable(t)
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		must(t, unix.FcntlFlock(uintptr(held), unix.F_OFD_SETLK, &lock))
		return func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, &lock) }
	},
	"open of a FIFO": func(t *testing.T) func() error {
		name := filepath.Join(t.TempDir(), "fifo")
		must(t, unix.Mkfifo(name, 0o600))
		return func() error {
			_, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			return err
		}
	},
	"read of a pipe": func(t *testing.T) func() error {
		var p [2]int
		must(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		closeLater(t, p[0], p[1])
		return func() error { return read1(p[0]) }
	},
	"read of an eventfd": func(t *testing.T) func() error {
		fd := opened(t)(unix.Eventfd(0, unix.EFD_CLOEXEC))
		return func() error { return read1(fd) }
	},
	"read of inotify": func(t *testing.T) func() error {
		fd := opened(t)(unix.InotifyInit1(unix.IN_CLOEXEC))
		return func() error { return read1(fd) }
	},
	"recv": func(t *testing.T) func() error {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		closeLater(t, p[0], p[1])
		return func() error {
			_, _, err := unix.Recvfrom(p[0], make([]byte, 1), 0)
			return err
		}
	},
	"accept": func(t *testing.T) func() error {
		l, _ := listening(t)
		return func() error {
			_, _, err := unix.Accept(l)
			return err
		}
	},
	"connect": func(t *testing.T) func() error {
		_, addr := listening(t)
		must(t, unix.Connect(unixSocket(t), addr)) // fills the backlog
		fd := unixSocket(t)
		return func() error { return unix.Connect(fd, addr) }
	},
	"waitpid": func(t *testing.T) func() error {
		cat := exec.Command("cat")
		in, err := cat.StdinPipe()
		must(t, err)
		must(t, cat.Start())
		t.Cleanup(func() { in.Close(); cat.Wait() })
		return func() error {
			_, err := unix.Wait4(cat.Process.Pid, nil, 0, nil)
			return err
		}
	},
	"nanosleep": func(t *testing.T) func() error {
		return func() error { return unix.Nanosleep(&unix.Timespec{Sec: 3600}, nil) }
	},
	"select": func(t *testing.T) func() error {
		return func() error {
			_, err := unix.Select(0, nil, nil, nil, nil)
			return err
		}
	},
	"poll": func(t *testing.T) func() error {
		return func() error {
			_, err := unix.Poll(nil, -1)
			return err
		}
	},
	"epoll_wait": func(t *testing.T) func() error {
		fd := opened(t)(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
		return func() error {
			_, err := unix.EpollWait(fd, make([]unix.EpollEvent, 1), -1)
			return err
		}
	},
	"futex wait": func(t *testing.T) func() error {
		word := new(uint32)
		return func() error {
			_, _, err := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), 128 /* wait, private */, 0, 0, 0, 0)
			return err
		}
	},
}

// N5, N8: the same from Go.
func TestInterruptible_systemCallsFromGo(t *testing.T) {
	skipDeferred(t)
	for name, prepare := range goCalls {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			bothWays(t, func(t *testing.T, do doFunc) {
				call := prepare(t)
				err := interrupted(t, do, func(in *nativetest.Inside) error {
					in.Set()
					return call()
				})
				if !errors.Is(err, syscall.EINTR) || !errors.Is(err, errGone) {
					t.Error(err)
				}
			})
		})
	}
	assertConfined(t)
}

// What the standard library does again after EINTR is not freed, nor harmed.
func TestInterruptible_osFile(t *testing.T) {
	skipDeferred(t)
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	r.Fd() // blocking from here on
	_, before, _ := native.SignalCounts()
	go func() {
		awaitSignals(t, before+3)
		w.Close()
	}()
	err = interrupted(t, native.Inline[int], func(in *nativetest.Inside) error {
		in.Set()
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			return err
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	assertConfined(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closeLater(t *testing.T, fds ...int) {
	for _, fd := range fds {
		t.Cleanup(func() { unix.Close(fd) })
	}
}

// opened returns the descriptor of what was just opened.
func opened(t *testing.T) func(int, error) int {
	return func(fd int, err error) int {
		must(t, err)
		closeLater(t, fd)
		return fd
	}
}

// lockable returns two descriptions of one file.
func lockable(t *testing.T) (held, fd int) {
	name := filepath.Join(t.TempDir(), "lock")
	open := func() int {
		return opened(t)(unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600))
	}
	return open(), open()
}

func unixSocket(t *testing.T) int {
	return opened(t)(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
}

// listening returns a listener whose backlog is full with one connection.
func listening(t *testing.T) (int, unix.Sockaddr) {
	l := unixSocket(t)
	must(t, unix.Bind(l, &unix.SockaddrUnix{}))
	must(t, unix.Listen(l, 0))
	addr, err := unix.Getsockname(l)
	must(t, err)
	return l, addr
}

func read1(fd int) error {
	_, err := unix.Read(fd, make([]byte, 8))
	return err
}
