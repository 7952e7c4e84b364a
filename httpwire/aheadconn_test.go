package httpwire_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// tcpPair returns the two ends of a connection.
func tcpPair(t testing.TB) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	s, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, c.SetDeadline(time.Now().Add(2*bound)))
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// aheadPair is a server's end that reads ahead, and the client's.
func aheadPair(t testing.TB, limit int) (httpwire.AheadConn, *net.TCPConn) {
	t.Helper()
	s, c := tcpPair(t)
	a := httpwire.ReadAhead(s, limit)
	t.Cleanup(func() { _ = a.Close() })
	return a, c
}

type readResult struct {
	b   []byte
	err error
}

// reading starts a Read of n bytes.
func reading(c net.Conn, n int) <-chan readResult {
	res := make(chan readResult, 1)
	go func() {
		b := make([]byte, n)
		n, err := c.Read(b)
		res <- readResult{b[:n], err}
	}()
	return res
}

func wantRead(t testing.TB, r readResult, b string, err error) {
	t.Helper()
	if string(r.b) != b || !errors.Is(r.err, err) {
		t.Errorf("read %q, %v; want %q, %v", r.b, r.err, b, err)
	}
}

func write(t testing.TB, c net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	must(t, err)
}

func held(t testing.TB, a httpwire.AheadConn, n int) {
	t.Helper()
	waitFor(t, "bytes to be held", func() bool { return a.Ahead().Held == n })
}

func filling(t testing.TB, a httpwire.AheadConn) {
	t.Helper()
	waitFor(t, "the reader to wait", func() bool { return a.Ahead().Filling })
}

var (
	past   = time.Unix(1, 0)
	noTime time.Time
)

// A read that waits for the reader ahead gets what that one gets.
func TestAhead_readWaits(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	a.Start()
	filling(t, a)
	res := reading(a, 3)
	write(t, c, "hello")
	wantRead(t, receive(t, res, "a read"), "hel", nil)
	wantRead(t, receive(t, reading(a, 9), "a read"), "lo", nil)
	must(t, c.CloseWrite())
	wantRead(t, receive(t, reading(a, 1), "the end"), "", io.EOF)
	wantRead(t, receive(t, reading(a, 1), "the end again"), "", io.EOF)
}

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

// The end is told when the reader ahead meets it, without a monitor or a look at
// the TCP state as well: a pipe has neither.
func TestAhead_tellsTheEnd(t *testing.T) {
	s, c := net.Pipe()
	a := httpwire.ReadAhead(s, 1<<20)
	a.Start()
	write(t, c, "hello")
	must(t, c.Close())
	waitFor(t, "the end to be seen", a.Left)
	wantRead(t, receive(t, reading(a, 9), "a read"), "hello", nil)
	wantRead(t, receive(t, reading(a, 9), "the end"), "", io.EOF)
	must(t, a.Close())
}

// countReads counts the reads that have ended.
type countReads struct {
	net.Conn
	n atomic.Int32
}

func (c *countReads) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(1)
	return n, err
}

// An error that somebody's own read has met is not followed by another one, of
// another kind perhaps, before it is noted.
func TestAhead_errorOfOwnRead(t *testing.T) {
	s, c := net.Pipe()
	below := &countReads{Conn: s}
	a := httpwire.ReadAhead(below, 1<<20)
	res := reading(a, 1)
	waitFor(t, "the read to begin", func() bool { return a.Ahead().Busy })
	a.Start()
	must(t, c.Close())
	wantRead(t, receive(t, res, "the end"), "", io.EOF)
	waitFor(t, "the reader to leave", func() bool { return !a.Ahead().Running })
	if n := below.n.Load(); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	must(t, a.Close())
}

// What was read ahead and the error behind it come in order; then the connection
// speaks for itself.
func TestAhead_resetBehindData(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	a.Start()
	write(t, c, "hello")
	held(t, a, 5)
	must(t, c.SetLinger(0))
	must(t, c.Close())
	waitFor(t, "the reset to be seen", a.Left)
	wantRead(t, receive(t, reading(a, 2), "a read"), "he", nil)
	wantRead(t, receive(t, reading(a, 9), "a read"), "llo", nil)
	wantRead(t, receive(t, reading(a, 9), "the reset"), "", errConnReset)
	wantRead(t, receive(t, reading(a, 9), "the end"), "", io.EOF) // the kernel tells it once
}

// A Read that was under way before goes first.
func TestAhead_startsDuringRead(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	res := reading(a, 1)
	waitFor(t, "the read to begin", func() bool { return a.Ahead().Busy })
	a.Start()
	write(t, c, "hello")
	first := receive(t, res, "a read")
	rest := make([]byte, 4)
	_, err := io.ReadFull(a, rest)
	must(t, err)
	if got := string(first.b) + string(rest); got != "hello" {
		t.Errorf("read %q", got)
	}
}

// A closed connection's reads fail, with bytes held and without; it keeps neither
// goroutine nor memory.
func TestAhead_close(t *testing.T) {
	for _, n := range []int{0, 3, 5} { // the reader waits for data, for data, for room
		a, c := aheadPair(t, 5)
		a.Start()
		write(t, c, "hello"[:n])
		held(t, a, n)
		var res <-chan readResult
		if n == 0 {
			filling(t, a)
			res = reading(a, 1)
		}
		must(t, a.Close())
		if res != nil {
			wantRead(t, receive(t, res, "the close"), "", net.ErrClosed)
		}
		wantRead(t, receive(t, reading(a, 1), "a read"), "", net.ErrClosed)
		wantRead(t, receive(t, reading(a, 0), "a read of nothing"), "", net.ErrClosed)
		a.Start()
		waitFor(t, "all to be released", func() bool { return a.Ahead() == httpwire.AheadState{} })
		if a.Left() {
			t.Error("our own close was taken for the peer's")
		}
	}
}

// CloseRead is no evidence; what was read ahead is still there, as it is on a
// kernel that keeps it.
func TestAhead_closeRead(t *testing.T) {
	a, c := aheadPair(t, 1<<20)
	a.Start()
	write(t, c, "hello")
	held(t, a, 5)
	filling(t, a)
	must(t, a.CloseRead())
	wantRead(t, receive(t, reading(a, 9), "a read"), "hello", nil)
	wantRead(t, receive(t, reading(a, 9), "the end"), "", io.EOF)
	if a.Left() {
		t.Error("our own CloseRead was taken for the peer's")
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

// The bound holds for every size of bound and of pieces, and so does that of
// memory.
func TestAhead_bound(t *testing.T) {
	data := noise(300_000)
	for _, limit := range []int{1, 2, 100, 16<<10 - 1, 16 << 10, 16<<10 + 1, 100_000} {
		a, c := aheadPair(t, limit)
		a.Start()
		sent := make(chan error, 1)
		go func() { _, err := c.Write(data); sent <- err }()
		var got []byte
		b := make([]byte, 4096)
		for len(got) < len(data) {
			if len(got)%3 == 0 {
				held(t, a, min(limit, len(data)-len(got)))
			}
			if st := a.Ahead(); st.Held > limit || st.Memory > limit+2*16<<10 {
				t.Fatalf("%+v with a limit of %d", st, limit)
			}
			n, err := a.Read(b[:1+len(got)%len(b)])
			must(t, err)
			got = append(got, b[:n]...)
			if limit == 1 && len(got) > 1000 {
				break // one byte at a time
			}
		}
		if !bytes.HasPrefix(data, got) {
			t.Errorf("limit %d: the bytes are not those that were sent", limit)
		}
		must(t, c.SetDeadline(past))
		receive(t, sent, "the client")
	}
}
