package httpwire

import (
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// monitor is the one epoll instance of the process that watches HTTP/1
// connections for FIN and RST, edge-triggered, so that data never wakes it. Its
// goroutine blocks in epoll_wait, on a thread of its own, which halves the
// latency of Go's netpoller. It starts with the first connection and ends soon
// after the last one.
//
// Lock order: tcp.mu, then monitor.mu. The goroutine holds at most one.
type monitor struct {
	mu    sync.Mutex
	conns map[uint64]*tcp
	token uint64 // last given out; never reused. 0 is the wake-up's
	epfd  int
	wake  int // an eventfd that ends an epoll_wait without end
}

var theMonitor = monitor{epfd: -1}

// linger is how long the goroutine stays when no connection is left, so that a
// server of one connection at a time does not start it for each.
const linger = 20 * time.Millisecond

// works reports whether there is a monitor on this system.
func (*monitor) works() bool { return true }

// add registers t and returns its token, 0 if that failed. t.mu is held, and t
// is not closed: Control refuses a descriptor that is.
func (m *monitor) add(t *tcp) uint64 {
	m.mu.Lock()
	if m.epfd < 0 && !m.startLocked() {
		m.mu.Unlock()
		return 0
	}
	m.token++
	token, epfd := m.token, m.epfd
	m.conns[token] = t // from here on the goroutine stays, and epfd with it
	m.mu.Unlock()

	ev := event(token)
	var err error
	if cerr := t.raw.Control(func(fd uintptr) {
		err = unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, int(fd), &ev)
	}); cerr != nil || err != nil {
		m.forget(token)
		return 0
	}
	return token
}

func event(token uint64) unix.EpollEvent {
	return unix.EpollEvent{
		Events: unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLET,
		Fd:     int32(uint32(token)),
		Pad:    int32(uint32(token >> 32)),
	}
}

// remove deletes t's registration. t.mu is held. If the descriptor is closed
// already, Control does nothing: the kernel has deleted it.
func (m *monitor) remove(t *tcp) {
	m.mu.Lock()
	epfd := m.epfd
	m.mu.Unlock()
	_ = t.raw.Control(func(fd uintptr) {
		_ = unix.EpollCtl(epfd, unix.EPOLL_CTL_DEL, int(fd), nil)
	})
	m.forget(t.token)
}

func (m *monitor) forget(token uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, token)
	if len(m.conns) == 0 {
		one := [8]byte{1}
		_, _ = unix.Write(m.wake, one[:]) // the goroutine is there while a token is
	}
}

func (m *monitor) startLocked() bool {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epfd)
		return false
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN} // token 0
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		_ = unix.Close(wake)
		_ = unix.Close(epfd)
		return false
	}
	m.epfd, m.wake = epfd, wake
	if m.conns == nil {
		m.conns = make(map[uint64]*tcp)
	}
	go m.run(epfd, wake)
	return true
}

func (m *monitor) run(epfd, wake int) {
	var events [128]unix.EpollEvent
	timeout := -1
	for {
		n, err := unix.EpollWait(epfd, events[:], timeout)
		if err != nil { // EINTR; nothing else can happen to a descriptor of our own
			n = 0
		}
		for _, ev := range events[:max(n, 0)] {
			m.dispatch(ev, wake)
		}
		if n > 0 {
			// Done's readers are next on this processor. Blocking would leave
			// them to another thread, that has to be woken first.
			runtime.Gosched()
		}
		empty, ended := m.rest(n == 0 && err == nil)
		if ended {
			return
		}
		timeout = -1
		if empty {
			timeout = int(linger / time.Millisecond)
		}
	}
}

func (m *monitor) dispatch(ev unix.EpollEvent, wake int) {
	token := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
	if token == 0 {
		var buf [8]byte
		_, _ = unix.Read(wake, buf[:])
		return
	}
	m.mu.Lock()
	t := m.conns[token] // nil: removed after the event was fetched
	m.mu.Unlock()
	if t == nil {
		return
	}
	switch {
	case ev.Events&unix.EPOLLHUP != 0:
		// Both directions are shut. EPOLLERR may be gone: a read of net/http's
		// has taken the error.
		t.take(wire.Event{Kind: wire.Reset, Err: unix.ECONNRESET, Source: wire.Monitor})
	case ev.Events&unix.EPOLLRDHUP != 0:
		t.take(wire.Event{Kind: wire.Closed, Err: io.EOF, Source: wire.Monitor})
	}
}

// rest says whether no connection is left, and ends the monitor if that was so
// for the whole of linger. Ending is decided under mu: an add comes either
// before, and is seen, or after, and starts anew.
func (m *monitor) rest(lingered bool) (empty, ended bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.conns) > 0 {
		return false, false
	}
	if !lingered {
		return true, false
	}
	_ = unix.Close(m.epfd)
	_ = unix.Close(m.wake)
	m.epfd, m.conns = -1, nil
	return true, true
}
