package httpwire_test

import (
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire"
)

var keepAliveOptions = []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT, unix.TCP_USER_TIMEOUT}

// options reads the socket's SO_KEEPALIVE and keepAliveOptions.
func options(t testing.TB, c *net.TCPConn) (got [5]int) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		got[0], err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		must(t, err)
		for i, opt := range keepAliveOptions {
			got[i+1], err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, opt)
			must(t, err)
		}
	}))
	return got
}

// PeerTimeout sets the accepted socket's options, and leaves them as the listener
// made them where it is 0.
func TestPeerTimeout_sockets(t *testing.T) {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 70 * time.Second, Interval: 7 * time.Second, Count: 5}}
	for timeout, want := range map[time.Duration][5]int{
		0:                  {1, 70, 7, 5, 0},
		4 * time.Second:    {1, 1, 1, 1, 1333},
		5 * time.Second:    {1, 1, 1, 1, 1666},
		10 * time.Second:   {1, 2, 1, 3, 3333},
		time.Minute:        {1, 15, 5, 3, 20000},
		7 * 24 * time.Hour: {1, 32767, 10922, 3, 201600000},
	} {
		each(t, 0, func(t *testing.T, v variant) {
			v.opts = &httpwire.Options{PeerTimeout: timeout}
			var vs visits
			s := vs.serve(t, v)
			l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			must(t, err)
			s.addr = l.Addr().String()
			if !v.bare {
				l = httpwire.Listener(l)
			}
			s.serve(t, l)
			visit := vs.hold(t, "/", nil)
			c, below := s.dial(t)
			if v.proto == httpwire.HTTP2 {
				_ = c.Close()
				h := s.h2(t)
				h.get("/")
				below = h.below
			} else {
				send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
			}
			receive(t, visit.ready, "the handler")
			if got := options(t, s.accepted(below.LocalAddr())); got != want {
				t.Errorf("PeerTimeout %v: options %v, want %v", timeout, got, want)
			}
			visit.untouched(t)
		})
	}
}

// A connection that is not TCP works with PeerTimeout as without.
func TestPeerTimeout_unixSocket(t *testing.T) {
	for _, bare := range []bool{false, true} {
		v := variant{proto: httpwire.HTTP1, bare: bare, opts: &httpwire.Options{PeerTimeout: peerTimeout}}
		var vs visits
		s := vs.serve(t, v)
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		must(t, err)
		if !bare {
			s.serve(t, httpwire.Listener(l))
		} else {
			s.serve(t, l)
		}
		visit := vs.hold(t, "/", nil)
		c, err := net.Dial("unix", l.Addr().String())
		must(t, err)
		defer c.Close()
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
		receive(t, visit.ready, "the handler")
		visit.untouched(t)
		_, err = readResponse(c)
		must(t, err)
	}
}

// The conflict that Options.PeerTimeout tells of: a client that is there, but whose
// receive window stays closed, is cut off; without PeerTimeout it is not.
func TestPeerTimeout_closedWindow(t *testing.T) {
	t.Parallel()
	each(t, 0, func(t *testing.T, v variant) {
		if loses(v) {
			t.Skip("needs the wrapped listener")
		}
		t.Parallel()
		v.opts = &httpwire.Options{PeerTimeout: peerTimeout}
		var vs visits
		s := vs.serve(t, v)
		visit := vs.expect("/", nil)
		visit.do = func(w http.ResponseWriter, r *http.Request) {
			_ = writeUntilError(w, r)
			<-visit.release
		}
		begin := time.Now()
		s.deafRequest(t, "/")
		d := visit.gone(t, httpwire.Disconnect{Proto: v.proto, Kind: httpwire.Timeout})
		t.Logf("after %v: %v", d.Time.Sub(begin), d)
	})
}

// deafRequest sends a request and reads no answer.
func (s *server) deafRequest(t testing.TB, path string) {
	t.Helper()
	if s.proto == httpwire.HTTP2 {
		s.deaf2(t, path)
		return
	}
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
}
