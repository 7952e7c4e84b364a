//go:build cgo

package httpwire

import (
	"context"
	"net"
	"net/http"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Events as the thread gets them.
const (
	EventFIN = unix.EPOLLRDHUP | unix.EPOLLIN
	EventRST = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

func settingOf(r *http.Request) (*tcp, *setting) {
	t := watchOf(r).below()
	return t, t.setting.Load()
}

// SetterData returns what events of r's connection carry, 0 if the thread does not
// watch it.
func SetterData(r *http.Request) uint64 {
	_, s := settingOf(r)
	if s == nil || s.e == nil {
		return 0
	}
	return s.e.data()
}

// SetFlag is what the thread does for an event.
func SetFlag(data uint64, events uint32) { setFlags(data, events) }

// Lent reports whether r's flag is lent to the thread, or has been set by it and nobody
// has noticed.
func Lent(r *http.Request) bool {
	t, s := settingOf(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	return s != nil && s.loan(watchOf(r)) >= 0
}

// HalfWithdraw does the first half of what takes r's flag back, as a goroutine does that is
// stopped there.
func HalfWithdraw(r *http.Request) { watchOf(r).lent.Store(lentOver) }

// Fired reports whether the thread has set a flag of r's connection.
func Fired(r *http.Request) bool {
	t, s := settingOf(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	return s != nil && s.e != nil && (s.e.fired() || s.loan(watchOf(r)) >= 0 && s.of[s.loan(watchOf(r))].e.fired())
}

// TopConn returns what net/http reads and writes.
func TopConn(r *http.Request) net.Conn { t, _ := settingOf(r); return t.top }

// PeerLeft reports whether the TCP state of r's connection says so.
func PeerLeft(r *http.Request) bool {
	t, _ := settingOf(r)
	_, ok := stateEvidence(t.raw)
	return ok
}

// HoldMonitor stops the monitor's goroutine, and all that needs its lock.
func HoldMonitor() (release func()) {
	theMonitor.mu.Lock()
	return theMonitor.mu.Unlock
}

// SetterFD returns the thread's epoll descriptor.
func SetterFD() int {
	fd, err := startSetter()
	if err != nil {
		panic(err)
	}
	return fd
}

// An Entry is an entry.
type Entry struct{ e *entry }

func TakeEntry() Entry                    { return Entry{takeEntry(0)} }
func (e Entry) Give()                     { giveEntry(e.e) }
func (e Entry) Arm(p unsafe.Pointer) bool { return e.e.arm(p) }
func (e Entry) Withdraw() bool            { return e.e.withdraw() }
func (e Entry) Data() uint64              { return e.e.data() }

// A Chain is a connection's entries.
type Chain struct{ s *setting }

func TakeChain() Chain {
	e := takeEntry(0)
	return Chain{&setting{e: e, last: e, free: []*entry{e}}}
}

func (c Chain) Give()        { giveEntry(c.s.e) }
func (c Chain) Data() uint64 { return c.s.e.data() }
func (c Chain) Free(e Entry) { c.s.free = append(c.s.free, e.e) }

// Lend lends one more flag; false: the connection's end was seen before.
func (c Chain) Lend(p unsafe.Pointer) (Entry, bool) {
	e, ended := c.s.lend(p)
	return Entry{e}, !ended
}

// ChainLen returns how many entries r's connection has.
func ChainLen(r *http.Request) (n int) {
	t, s := settingOf(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := s.e; e != nil; n++ {
		next := e.next.Load()
		if e = nil; next != 0 {
			e = entries.made[next-1]
		}
	}
	return n
}

// Seen reports whether the thread has seen the end of r's connection.
func Seen(r *http.Request) bool {
	_, s := settingOf(r)
	return s != nil && s.e != nil && s.e.seen()
}

// FlagsOf returns how many flags are lent of the connection that the request under ctx came on.
func FlagsOf(ctx context.Context) int {
	t := ctx.Value(wire.Key).(*watch).below()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.setting.Load(); s != nil {
		return len(s.of)
	}
	return 0
}
