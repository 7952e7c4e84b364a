package httpwire_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// A deadline ends a read that waits, as net/http's abortPendingRead needs it, and
// no later one; nothing is lost.
func TestAhead_deadlineEndsWait(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	a.Start()
	for range 3 {
		filling(t, a)
		res := reading(a, 1)
		must(t, a.SetReadDeadline(past))
		wantRead(t, receive(t, res, "the deadline"), "", os.ErrDeadlineExceeded)
		must(t, a.SetReadDeadline(noTime))
	}
	res := reading(a, 9)
	write(t, c, "hello")
	wantRead(t, receive(t, res, "a read"), "hello", nil)
	must(t, a.SetDeadline(time.Now().Add(20*time.Millisecond)))
	wantRead(t, receive(t, reading(a, 9), "the deadline"), "", os.ErrDeadlineExceeded)
	wantRead(t, receive(t, reading(a, 9), "the deadline again"), "", os.ErrDeadlineExceeded)
	must(t, a.SetDeadline(noTime))
	write(t, c, "again")
	wantRead(t, receive(t, reading(a, 9), "a read"), "again", nil)
}

// A Read behind its deadline fails though there is data, as a net.Conn's does; one
// of no length does not even fail.
func TestAhead_deadlineBeforeData(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	a.Start()
	write(t, c, "hello")
	held(t, a, 5)
	must(t, a.SetReadDeadline(past))
	wantRead(t, receive(t, reading(a, 1), "the deadline"), "", os.ErrDeadlineExceeded)
	wantRead(t, receive(t, reading(a, 0), "a read of nothing"), "", nil)
	must(t, a.SetReadDeadline(time.Now().Add(bound)))
	wantRead(t, receive(t, reading(a, 9), "a read"), "hello", nil)
}

// A deadline that passes while nobody reads does not keep the end from being seen.
// It is still there for who reads: during the request, and after.
func TestAhead_readsOnPastDeadline(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	a.Start()
	filling(t, a)
	must(t, a.SetReadDeadline(past))
	write(t, c, "hello")
	held(t, a, 5)
	filling(t, a)
	wantRead(t, receive(t, reading(a, 1), "the deadline"), "", os.ErrDeadlineExceeded)
	a.Stop()
	waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
	wantRead(t, receive(t, reading(a, 1), "the deadline"), "", os.ErrDeadlineExceeded)
	must(t, a.SetReadDeadline(noTime))
	wantRead(t, receive(t, reading(a, 5), "what was read ahead"), "hello", nil)
	must(t, a.SetReadDeadline(past))
	wantRead(t, receive(t, reading(a, 1), "the deadline, of the connection itself"), "", os.ErrDeadlineExceeded)
	a.Start()
	filling(t, a)
	must(t, c.CloseWrite())
	waitFor(t, "the end to be seen", a.Left)
	waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
	must(t, a.SetReadDeadline(noTime))
	wantRead(t, receive(t, reading(a, 1), "the end"), "", io.EOF)
}

// The end of a request wakes the reader ahead, by a deadline that nobody sees; the
// one set last is in force again, also when it was set in between.
func TestAhead_stopRestoresDeadline(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	for i := range 200 {
		a.Start()
		if i%2 == 0 {
			filling(t, a)
		}
		res := reading(a, 1)
		if i%3 == 0 {
			must(t, a.SetReadDeadline(time.Now().Add(bound)))
		}
		a.Stop()
		if i%3 == 1 {
			must(t, a.SetReadDeadline(noTime))
		}
		if i%5 == 0 {
			must(t, a.SetReadDeadline(past))
			wantRead(t, receive(t, res, "the deadline"), "", os.ErrDeadlineExceeded)
			must(t, a.SetDeadline(noTime))
			continue
		}
		write(t, c, "x")
		wantRead(t, receive(t, res, "a read"), "x", nil)
	}
	waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
}

// How the reader ahead was woken is no deadline of the next request's.
func TestAhead_startAfterStop(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	for range 100 {
		a.Start()
		filling(t, a)
		a.Stop()
		waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
		a.Start()
		filling(t, a)
		res := reading(a, 1)
		a.Stop()
		a.Start() // maybe before it has left
		write(t, c, "x")
		wantRead(t, receive(t, res, "a read"), "x", nil)
		filling(t, a)
		a.Stop()
		a.Start() // surely before it has left, some of the times
		write(t, c, "y")
		held(t, a, 1)
		wantRead(t, receive(t, reading(a, 9), "a read"), "y", nil)
		a.Stop()
	}
}

// A deadline that is set while the reader ahead is being woken neither holds it up
// nor is lost.
func TestAhead_deadlineWhileWoken(t *testing.T) {
	a, _ := aheadPair(t, 1<<20)
	for range 300 {
		a.Start()
		filling(t, a)
		a.Stop()
		must(t, a.SetReadDeadline(noTime))
		waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
		a.Start()
		filling(t, a)
		a.Stop()
		must(t, a.SetDeadline(past))
		if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write behind its deadline: %v", err)
		}
		wantRead(t, receive(t, reading(a, 1), "a read"), "", os.ErrDeadlineExceeded)
		must(t, a.SetDeadline(noTime))
		waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
	}
	must(t, a.SetDeadline(past))
	if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write behind its deadline: %v", err)
	}
}

// toldReads gives the results that the test says, whatever the deadline.
type toldReads struct {
	net.Conn
	results chan readResult
}

func (c *toldReads) Read(p []byte) (int, error) {
	r := <-c.results
	return copy(p, r.b), r.err
}

// A deadline that passes just before it is replaced is nobody's any more.
func TestAhead_deadlineReplaced(t *testing.T) {
	s, _ := tcpPair(t)
	below := &toldReads{s, make(chan readResult)}
	a := httpwire.ReadAhead(below, 1<<20)
	a.Start()
	filling(t, a)
	must(t, a.SetReadDeadline(time.Now().Add(bound)))
	below.results <- readResult{nil, os.ErrDeadlineExceeded} // of the one before
	below.results <- readResult{[]byte("hello"), nil}
	held(t, a, 5)
	wantRead(t, receive(t, reading(a, 9), "a read"), "hello", nil)
	below.results <- readResult{nil, io.EOF}
	waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
}

// lastDeadline keeps the read deadline that was set last.
type lastDeadline struct {
	net.Conn
	last atomic.Value
}

func (c *lastDeadline) SetReadDeadline(t time.Time) error {
	c.last.Store(t)
	return c.Conn.SetReadDeadline(t)
}

// Whenever the reader ahead is not reading, the connection has its own deadline.
func TestAhead_deadlineBelow(t *testing.T) {
	s, c := tcpPair(t)
	below := &lastDeadline{Conn: s}
	a := httpwire.ReadAhead(below, 5)
	a.Start()
	filling(t, a)
	must(t, a.SetReadDeadline(past))
	write(t, c, "hello")
	held(t, a, 5)
	if d := below.last.Load().(time.Time); !d.Equal(past) {
		t.Errorf("the deadline is %v, want %v", d, past)
	}
	soon := time.Now().Add(bound)
	must(t, a.SetReadDeadline(soon))
	wantRead(t, receive(t, reading(a, 9), "a read"), "hello", nil)
	filling(t, a)
	a.Stop()
	waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
	if d := below.last.Load().(time.Time); !d.Equal(soon) {
		t.Errorf("the deadline is %v, want %v", d, soon)
	}
}

// noDeadlines is a connection whose reads can't be ended.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// Where a read can't be ended none is begun.
func TestAhead_noDeadlines(t *testing.T) {
	s, c := tcpPair(t)
	a := httpwire.ReadAhead(noDeadlines{s}, 1<<20)
	a.Start()
	if a.Ahead().Running {
		t.Error("reads ahead on a connection without deadlines")
	}
	write(t, c, "hello")
	wantRead(t, receive(t, reading(a, 9), "a read"), "hello", nil)
}
