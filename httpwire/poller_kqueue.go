//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package httpwire

import (
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// poller is a kqueue. What it relies on is in kqueue(2) of FreeBSD, macOS,
// OpenBSD, NetBSD and DragonFly alike:
//
//   - EVFILT_READ of a socket reports the end of its input as EV_EOF, behind unread
//     data too, with the socket's error in fflags. SO_ERROR is not read by that.
//   - NOTE_LOWAT replaces the amount of data from which on it reports. No buffer
//     holds that of ours, so data wakes nobody. macOS bounds it by the size of the
//     receive buffer: a full one does, once for each of the few packets that still
//     come, as EV_CLEAR reports changes only. dispatch passes over these.
//   - EV_ADD of what is not there runs the filter: what is the case already is
//     reported.
//   - The close of a descriptor removes what the queue knows of it.
type poller struct {
	kq    int
	slots slots
	buf   [128]unix.Kevent_t
}

// noData is more than any socket buffer holds.
const noData = math.MaxInt32

func newPoller() (*poller, error) {
	kq, err := newKqueue()
	if err != nil {
		return nil, err
	}
	return &poller{kq: kq}, nil
}

func newKqueue() (int, error) {
	kq, err := unix.Kqueue() // a child made by fork does not inherit it
	if err == nil {
		unix.CloseOnExec(kq)
	}
	return kq, err
}

func (p *poller) close() { _ = unix.Close(p.kq) }

// wake ends a wait without end, by a timer of a millisecond: of what wakes
// (EVFILT_USER, a pipe, a timer) it is what all systems have and what takes no
// descriptor. If the system is out of timers, the goroutine stays until the next
// connection leaves.
func (p *poller) wake() {
	ev := change(0, unix.EVFILT_TIMER, unix.EV_ADD|unix.EV_ONESHOT)
	ev.Fflags, ev.Data = 0, 1
	_ = apply(p.kq, ev)
}

// add registers fd, which stays open meanwhile.
func (p *poller) add(fd int, token uint64) error {
	p.slots.set(fd, token)
	return apply(p.kq, change(fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_CLEAR))
}

func (p *poller) remove(fd int) {
	_ = apply(p.kq, change(fd, unix.EVFILT_READ, unix.EV_DELETE))
}

// change is a change of what a queue knows of fd.
func change(fd, filter, flags int) (ev unix.Kevent_t) {
	unix.SetKevent(&ev, fd, filter, flags)
	ev.Fflags, ev.Data = unix.NOTE_LOWAT, noData
	return ev
}

func apply(kq int, ev unix.Kevent_t) error {
	_, err := unix.Kevent(kq, []unix.Kevent_t{ev}, nil, nil)
	return err
}

// wait returns events, valid until the next wait; none after the timeout, which
// does not end if it is negative.
func (p *poller) wait(timeout time.Duration) ([]unix.Kevent_t, error) {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	p.slots.begin()
	n, err := unix.Kevent(p.kq, nil, p.buf[:], ts)
	return p.buf[:max(n, 0)], err
}

func (m *monitor) dispatch(p *poller, ev unix.Kevent_t) {
	if ev.Filter != unix.EVFILT_READ || ev.Flags&unix.EV_EOF == 0 {
		return // the timer; or a full receive buffer
	}
	token, sure := p.slots.owner(int(ev.Ident))
	t := m.conn(token)
	if t == nil {
		return
	}
	if !sure {
		// Maybe of the connection that had this descriptor before: see slots. If t
		// is closed by now, Control does nothing. If it is only removed, it is
		// registered for nobody, until its close.
		_ = t.raw.Control(func(fd uintptr) { p.renew(int(fd)) })
		return
	}
	e := eof(errorOf(ev), false, wire.Monitor)
	if e.Kind == wire.Closed {
		if s, ok := stateEvidence(t.raw); ok {
			e.Kind, e.Err = s.Kind, s.Err // a reset whose error has been taken
		}
	}
	t.take(e)
}

// renew makes the queue report again what is the case. It leaves the slot as it
// is: it may be another registration's by now.
func (p *poller) renew(fd int) {
	p.remove(fd)
	_ = apply(p.kq, change(fd, unix.EVFILT_READ, unix.EV_ADD|unix.EV_CLEAR))
}

// errorOf returns the socket's error that came with EV_EOF.
func errorOf(ev unix.Kevent_t) error {
	if ev.Fflags == 0 {
		return nil
	}
	return syscall.Errno(ev.Fflags)
}

// stateEvidence asks a queue of its own whether the connection's input, and its
// output, has ended: what the kernel of each of these systems says of a TCP
// connection in the same way, which is not so of its TCP_INFO, if it has one.
func stateEvidence(raw syscall.RawConn) (ev wire.Event, ok bool) {
	_ = raw.Control(func(fd uintptr) {
		kq, err := newKqueue()
		if err != nil {
			return
		}
		defer func() { _ = unix.Close(kq) }()
		var found [2]unix.Kevent_t
		n, _ := unix.Kevent(kq, []unix.Kevent_t{
			change(int(fd), unix.EVFILT_READ, unix.EV_ADD),
			change(int(fd), unix.EVFILT_WRITE, unix.EV_ADD),
		}, found[:], &unix.Timespec{})
		ev, ok = stateOf(found[:max(n, 0)])
	})
	return ev, ok
}

// stateOf says what the events of EVFILT_READ and EVFILT_WRITE mean together.
func stateOf(found []unix.Kevent_t) (wire.Event, bool) {
	var err error
	var read, write bool
	for _, ev := range found {
		if ev.Flags&unix.EV_EOF == 0 || ev.Flags&unix.EV_ERROR != 0 {
			continue
		}
		read = read || ev.Filter == unix.EVFILT_READ
		write = write || ev.Filter == unix.EVFILT_WRITE
		if err == nil {
			err = errorOf(ev)
		}
	}
	return eof(err, write, wire.State), read
}
