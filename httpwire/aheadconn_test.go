package httpwire_test

import (
	"bytes"
	"errors"
	"io"
	"net"
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
