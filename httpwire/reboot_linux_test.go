package httpwire_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/netns"
)

// reboot makes the client forget its connection without a packet that gets through,
// and reachable again: its system answers what comes by an RST.
func (g *guest) reboot(t *testing.T, p *netns.Pair) {
	t.Helper()
	must(t, g.below.SetLinger(0))
	must(t, g.below.Close()) // the RST is lost
	must(t, p.Join(g.addr))
}

// H2: a peer that has lost its memory and answers a keepalive's probe, or a
// retransmission, by an RST is a reset: the monitor alone has to tell, as nobody reads.
func TestMonitor_rebootIsReset(t *testing.T) {
	t.Parallel()
	p := netns.New(t)
	writes := func(g *guest, w http.ResponseWriter, r *http.Request) {
		<-g.gone
		_ = begin(w, r)
	}
	var rows []func()
	for _, v := range variants {
		if v.proto != httpwire.HTTP1 {
			continue
		}
		for _, a := range []act{
			{name: "probe", unread: true},
			{name: "retransmission", unread: true, do: writes},
		} {
			// The reboot has to be over before the peer is given up. Each
			// retransmission comes after as long a time as all before it.
			v.opts = &httpwire.Options{PeerTimeout: 3 * peerTimeout}
			if a.do != nil {
				v.opts.PeerTimeout = 30 * peerTimeout
			}
			s := inSpace(t, p, v)
			g := s.visitor(t, a)
			raw := s.accepted(g.below.LocalAddr())
			g.cut(t, p)
			if a.do != nil {
				waitFor(t, "a retransmission", func() bool { return tcpInfo(t, raw).Retransmits > 0 })
			}
			g.reboot(t, p)
			rows = append(rows, func() {
				t.Run(g.name, func(t *testing.T) {
					d := g.visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Reset})
					t.Logf("after %d ms by %v: %v", d.Time.Sub(g.at).Milliseconds(), d.Source, d)
				})
			})
		}
	}
	for _, f := range rows {
		f()
	}
}

// H2: a keepalive that the program set itself, without a user timeout, is told as a
// timeout as well.
func TestMonitor_ownKeepAlive(t *testing.T) {
	t.Parallel()
	p := netns.New(t)
	own := net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 4}
	var rows []func()
	for _, v := range variants {
		if v.proto != httpwire.HTTP1 {
			continue
		}
		s := inSpace(t, p, v)
		for _, a := range []act{{name: "silent", unread: true}, {name: "rebooted", unread: true}} {
			g := s.visitor(t, a)
			must(t, s.accepted(g.below.LocalAddr()).SetKeepAliveConfig(own))
			g.cut(t, p)
			kind := httpwire.Timeout
			if a.name == "rebooted" {
				kind = httpwire.Reset
				g.reboot(t, p)
			}
			rows = append(rows, func() {
				t.Run(g.name, func(t *testing.T) {
					d := g.visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: kind})
					t.Logf("after %d ms by %v: %v", d.Time.Sub(g.at).Milliseconds(), d.Source, d)
				})
			})
		}
	}
	for _, f := range rows {
		f()
	}
}

// H2: an unreachable peer is a lost connection where a read or a write says so. Of a read and a write at the
// same time the system tells it to one. The other may be the first to be heard: a write that finds the pipe broken, or
// a read that finds the input ended on a socket which has timed out.
func TestPeerTimeout_unreachable(t *testing.T) {
	t.Parallel()
	p := netns.New(t)
	var rows []func()
	for _, v := range variants {
		if v.proto != httpwire.HTTP2 {
			continue
		}
		v.opts = &httpwire.Options{PeerTimeout: peerTimeout}
		s := inSpace(t, p, v)
		g := s.visitor(t, act{name: "pieces", do: acts[2].do})
		g.at = time.Now()
		must(t, p.Reject(g.addr))
		rows = append(rows, func() {
			t.Run(g.name, func(t *testing.T) {
				g.visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: httpwire.ConnectionLost}, httpwire.WriteFailed, httpwire.Timeout)
			})
		})
	}
	for _, f := range rows {
		f()
	}
}

func tcpInfo(t testing.TB, c *net.TCPConn) (info *unix.TCPInfo) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err != nil {
			t.Fatal(err)
		}
	}))
	return info
}
