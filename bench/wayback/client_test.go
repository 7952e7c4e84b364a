//go:build cgo && linux

package wayback

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"
)

// The client is this test binary again, as a process of its own: it has its own scheduler.
// It reads commands from descriptor 3 and answers on 4.

// A command is to send N requests to Addr, each on a connection of its own, to wait for a word,
// and to leave them one by one, Gap apart. The answer is when each was left.
type command struct {
	Way, Addr string
	N         int
	Gap       time.Duration
}

const clientEnv = "HANGUP_WAYBACK_CLIENT"

type client struct {
	b   *testing.B
	in  *json.Encoder
	out *json.Decoder
}

func newClient(b *testing.B) *client {
	theirs, in, err := os.Pipe()
	must(b, err)
	out, theirs2, err := os.Pipe()
	must(b, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestClient$")
	cmd.Env = append(os.Environ(), clientEnv+"=1")
	cmd.ExtraFiles = []*os.File{theirs, theirs2}
	cmd.Stderr = os.Stderr
	must(b, cmd.Start())
	must(b, theirs.Close())
	must(b, theirs2.Close())
	b.Cleanup(func() {
		must(b, in.Close())
		must(b, cmd.Wait())
		must(b, out.Close())
	})
	return &client{b, json.NewEncoder(in), json.NewDecoder(out)}
}

// TestClient is the client's process, and nothing in a run of the tests.
func TestClient(*testing.T) {
	if os.Getenv(clientEnv) == "" {
		return
	}
	in, out := json.NewDecoder(os.NewFile(3, "in")), json.NewEncoder(os.NewFile(4, "out"))
	runtime.LockOSThread()
	for {
		var c command
		if err := in.Decode(&c); err == io.EOF {
			return
		} else {
			check(err)
		}
		leave, end := make([]func(), c.N), make([]func(), c.N)
		for i := range c.N {
			leave[i], end[i] = request(c.Way, c.Addr, "/"+strconv.Itoa(i))
		}
		check(in.Decode(&struct{}{}))
		left := make([]int64, c.N)
		for i := range c.N {
			time.Sleep(c.Gap)
			left[i] = clock()
			leave[i]()
		}
		check(out.Encode(left))
		check(in.Decode(&struct{}{}))
		for _, end := range end {
			end()
		}
	}
}

// request sends one: way is a protocol, or "-close" behind one to leave by closing the connection and not by a reset
// of the stream.
func request(way, addr, path string) (leave, end func()) {
	proto, closes := strings.CutSuffix(way, "-close")
	if proto == "h3" {
		return request3(addr, path, closes)
	}
	c, err := net.Dial("tcp", addr)
	check(err)
	f, err := c.(*net.TCPConn).File()
	check(err)
	check(c.Close())
	fd, err := unix.Dup(int(f.Fd())) // blocking: a write is a system call, and no more
	check(err)
	check(f.Close())
	var raw io.ReadWriter = fdConn(fd)
	hangUp := func() { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
	if proto == "h1" {
		_, err := raw.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
		check(err)
		return hangUp, func() {}
	}
	if proto == "h2" {
		t := tls.Client(fdConn(fd), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		check(t.Handshake())
		raw = t
	}
	reset := request2(raw, path)
	if closes {
		return hangUp, func() {}
	}
	return reset, hangUp
}

// fdConn is a socket without Go's poller.
type fdConn int

func (fd fdConn) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), p)
		if err == unix.EINTR {
			continue
		}
		if n == 0 && err == nil {
			err = io.EOF
		}
		return max(n, 0), err
	}
}
func (fd fdConn) Write(p []byte) (int, error)      { return unix.Write(int(fd), p) }
func (fd fdConn) Close() error                     { return unix.Close(int(fd)) }
func (fd fdConn) LocalAddr() net.Addr              { return nil }
func (fd fdConn) RemoteAddr() net.Addr             { return nil }
func (fd fdConn) SetDeadline(time.Time) error      { return nil }
func (fd fdConn) SetReadDeadline(time.Time) error  { return nil }
func (fd fdConn) SetWriteDeadline(time.Time) error { return nil }

func request2(c io.ReadWriter, path string) (reset func()) {
	_, err := io.WriteString(c, http2.ClientPreface)
	check(err)
	f := http2.NewFramer(c, c)
	check(f.WriteSettings())
	for {
		fr, err := f.ReadFrame()
		check(err)
		if s, ok := fr.(*http2.SettingsFrame); ok && !s.IsAck() {
			break
		}
	}
	check(f.WriteSettingsAck())
	var head strings.Builder
	enc := hpack.NewEncoder(&head)
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", path}} {
		check(enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}))
	}
	check(f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(head.String()), EndStream: true, EndHeaders: true}))
	return func() { check(f.WriteRSTStream(1, http2.ErrCodeCancel)) }
}

func request3(addr, path string, closes bool) (leave, end func()) {
	qc, err := quic.DialAddr(context.Background(), addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}, nil)
	check(err)
	str, err := new(http3.Transport).NewClientConn(qc).OpenRequestStream(context.Background())
	check(err)
	req, err := http.NewRequest(http.MethodGet, "https://"+addr+path, nil)
	check(err)
	check(str.SendRequestHeader(req))
	check(str.Close())
	end = func() { _ = qc.CloseWithError(0, "") }
	if closes {
		return end, func() {}
	}
	return func() { str.CancelRead(0x10c) }, end
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// clock is the time that all processes share, in nanoseconds.
func clock() int64 {
	var t unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t))
	return t.Nano()
}
