package httpwire_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire"
)

// H2: of a connection that the kernel has given up, a write learns no more than EPIPE where
// a read on another goroutine took the error and has not said so yet. It is a timeout all
// the same; a reset behind a FIN, which is EPIPE by itself, remains a failed write.
func TestListener_brokenPipe(t *testing.T) {
	for _, tt := range []struct {
		name   string
		breaks func(t *testing.T, served net.Conn, raw, client *net.TCPConn)
		want   httpwire.Kind
		err    error
	}{
		{"the peer was given up", func(t *testing.T, served net.Conn, raw, client *net.TCPConn) {
			fill(t, served, raw) // the client reads nothing
			control(t, raw, func(fd int) error {
				return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 100)
			})
		}, httpwire.Timeout, unix.ETIMEDOUT},
		{"the peer closed, then reset", func(t *testing.T, served net.Conn, raw, client *net.TCPConn) {
			must(t, client.Close())
			waitFor(t, "the client's FIN", func() bool { return tcpInfo(t, raw).State == unix.BPF_TCP_CLOSE_WAIT })
			_, err := served.Write([]byte("x")) // answered by an RST
			must(t, err)
		}, httpwire.WriteFailed, unix.EPIPE},
	} {
		t.Run(tt.name, func(t *testing.T) {
			served, client := accepted(t)
			raw := served.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn)
			tt.breaks(t, served, raw, client)
			waitFor(t, "the end of the connection", func() bool { return tcpInfo(t, raw).State == unix.BPF_TCP_CLOSE })
			control(t, raw, func(fd int) error { // takes the error, as who reads first does
				_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
				return err
			})
			if _, err := served.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
				t.Fatalf("the write says %v, want EPIPE", err)
			}
			if kind, err := httpwire.Evidence(served); kind != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("evidence: %v, %v; want %v, %v", kind, err, tt.want, tt.err)
			}
		})
	}
}

// fill writes to c, which is raw, until the peer's window is closed and more is to be sent.
func fill(t *testing.T, c net.Conn, raw *net.TCPConn) {
	t.Helper()
	full := func() bool { i := tcpInfo(t, raw); return i.Snd_wnd == 0 && i.Notsent_bytes > 0 }
	for piece := make([]byte, 1<<20); !full(); {
		must(t, c.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
		if _, err := c.Write(piece); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	must(t, c.SetWriteDeadline(time.Time{}))
}

func control(t *testing.T, c *net.TCPConn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	var failed error
	must(t, raw.Control(func(fd uintptr) { failed = f(int(fd)) }))
	must(t, failed)
}
