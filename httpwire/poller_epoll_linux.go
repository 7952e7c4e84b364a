package httpwire

import (
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// poller is an epoll instance, edge-triggered: level-triggered, a FIN behind
// unread data would wake it without end.
type poller struct {
	epfd   int
	wakefd int // an eventfd that ends an epoll_wait without end
	buf    [128]unix.EpollEvent
}

func newPoller() (*poller, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epfd)
		return nil, err
	}
	p := &poller{epfd: epfd, wakefd: wake}
	ev := unix.EpollEvent{Events: unix.EPOLLIN} // token 0
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	_ = unix.Close(p.wakefd)
	_ = unix.Close(p.epfd)
}

func (p *poller) wake() {
	one := [8]byte{1}
	_, _ = unix.Write(p.wakefd, one[:])
}

// add registers fd, which stays open meanwhile. An event carries the token, and
// tokens are not reused: one that was fetched before its connection was closed is
// nobody's.
func (p *poller) add(fd int, token uint64) error {
	ev := event(token)
	return unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &ev)
}

func (p *poller) remove(fd int) {
	_ = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, fd, nil)
}

func event(token uint64) unix.EpollEvent {
	return unix.EpollEvent{
		Events: unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLET,
		Fd:     int32(uint32(token)),
		Pad:    int32(uint32(token >> 32)),
	}
}

// wait returns events, valid until the next wait; none after the timeout, which
// does not end if it is negative.
func (p *poller) wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	ms := -1
	if timeout >= 0 {
		ms = int(timeout / time.Millisecond)
	}
	n, err := unix.EpollWait(p.epfd, p.buf[:], ms)
	return p.buf[:max(n, 0)], err
}

func (m *monitor) dispatch(p *poller, ev unix.EpollEvent) {
	token := uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
	if token == 0 {
		var buf [8]byte
		_, _ = unix.Read(p.wakefd, buf[:])
		return
	}
	t := m.conn(token)
	if t == nil {
		return
	}
	switch {
	case ev.Events&unix.EPOLLHUP != 0:
		// Both directions are shut. EPOLLERR may be gone: a read of net/http's
		// has taken the error.
		t.take(brokenEvidence(t.raw, wire.Monitor))
	case ev.Events&unix.EPOLLRDHUP != 0:
		t.take(wire.Event{Kind: wire.Closed, Err: io.EOF, Source: wire.Monitor})
	}
}
