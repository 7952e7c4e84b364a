//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package httpwire

import (
	"runtime"
	"sync"
	"time"
)

// monitor is the one poller of the process that watches HTTP/1 connections for
// FIN and RST, in a way that data never wakes: epoll on Linux, kqueue on the BSDs
// and macOS. Its goroutine blocks in the system call, on a thread of its own,
// which halves the latency of Go's netpoller. It starts with the first connection
// and ends soon after the last one.
//
// Lock order: tcp.mu, then monitor.mu. The goroutine holds at most one.
type monitor struct {
	mu    sync.Mutex
	conns map[uint64]*tcp
	token uint64  // last given out; never reused. 0 is nobody's
	poll  *poller // nil when the goroutine is not running
}

var theMonitor monitor

// linger is how long the goroutine stays when no connection is left, so that a
// server of one connection at a time does not start it for each.
const linger = 20 * time.Millisecond

// works reports whether there is a monitor on this system.
func (*monitor) works() bool { return true }

// add registers t and returns its token, 0 if that failed. t.mu is held, and t
// is not closed: Control refuses a descriptor that is.
func (m *monitor) add(t *tcp) uint64 {
	m.mu.Lock()
	if m.poll == nil && !m.startLocked() {
		m.mu.Unlock()
		return 0
	}
	m.token++
	token, poll := m.token, m.poll
	m.conns[token] = t // from here on the goroutine stays, and poll with it
	m.mu.Unlock()

	var err error
	if cerr := t.raw.Control(func(fd uintptr) {
		err = poll.add(int(fd), token)
	}); cerr != nil || err != nil {
		m.forget(token)
		return 0
	}
	return token
}

// remove deletes t's registration. t.mu is held. If the descriptor is closed
// already, Control does nothing: the kernel has deleted it.
func (m *monitor) remove(t *tcp) {
	m.mu.Lock()
	poll := m.poll // t is registered: there is one
	m.mu.Unlock()
	_ = t.raw.Control(func(fd uintptr) { poll.remove(int(fd)) })
	m.forget(t.token)
}

func (m *monitor) forget(token uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, token)
	if len(m.conns) == 0 {
		m.poll.wake() // the goroutine is there while a token is
	}
}

// conn returns the connection of a token, nil if it was removed after its event
// had been fetched.
func (m *monitor) conn(token uint64) *tcp {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns[token]
}

func (m *monitor) startLocked() bool {
	poll, err := newPoller()
	if err != nil {
		return false
	}
	m.poll = poll
	if m.conns == nil {
		m.conns = make(map[uint64]*tcp)
	}
	go m.run(poll)
	return true
}

func (m *monitor) run(poll *poller) {
	timeout := time.Duration(-1)
	for {
		// EINTR; nothing else can happen to a descriptor of our own
		events, err := poll.wait(timeout)
		for _, ev := range events {
			m.dispatch(poll, ev)
		}
		if len(events) > 0 {
			// Done's readers are next on this processor. Blocking would leave
			// them to another thread, that has to be woken first.
			runtime.Gosched()
		}
		empty, ended := m.rest(len(events) == 0 && err == nil)
		if ended {
			return
		}
		timeout = -1
		if empty {
			timeout = linger
		}
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
	m.poll.close()
	m.poll, m.conns = nil, nil
	return true, true
}
