package netns

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Server is the server's address.
const Server = "10.99.0.1"

// A Pair is two namespaces with a veth pair between them.
type Pair struct {
	server, clients *space
	last            atomic.Uint32 // client address given out
}

// New makes a Pair that lasts until t ends. Where that is not possible it skips t,
// or fails it if the environment says HANGUP_NETNS=require.
func New(t testing.TB) *Pair {
	t.Helper()
	p, err := make2(t)
	if err == nil {
		return p
	}
	if os.Getenv("HANGUP_NETNS") == "require" {
		t.Fatalf("no network namespaces, and HANGUP_NETNS=require: %v", err)
	}
	t.Skipf("no network namespaces: %v", err)
	return nil
}

func make2(t testing.TB) (*Pair, error) {
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, err
		}
	}
	server, err := newSpace(t)
	if err != nil {
		return nil, err
	}
	clients, err := newSpace(t)
	if err != nil {
		return nil, err
	}
	p := &Pair{server: server, clients: clients}
	err = server.sh(fmt.Sprintf(`set -e
		ip link set lo up
		ip link add hangup0 type veth peer name hangup1 netns %d
		ip addr add %s/24 dev hangup0
		ip link set hangup0 up
		ip route add 10.99.1.0/24 via 10.99.0.2`, clients.tid, Server))
	if err == nil {
		err = clients.sh(`set -e
			ip link set lo up
			ip addr add 10.99.0.2/24 dev hangup1
			ip link set hangup1 up
			ip route add local 10.99.1.0/24 dev lo
			echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
			nft -f - <<-END
			table ip hangup {
				set gone { type ipv4_addr; }
				set rejected { type ipv4_addr; }
				chain in { type filter hook input priority 0; ip daddr @gone drop; ip daddr @rejected reject with icmp type host-unreachable; }
				chain out { type filter hook output priority 0; ip saddr @gone drop; ip saddr @rejected ip protocol != icmp drop; }
			}
			END`)
	}
	return p, err
}

// Listen listens for TCP at the server's address.
func (p *Pair) Listen() (l net.Listener, err error) {
	p.server.do(func() { l, err = net.Listen("tcp4", Server+":0") })
	return l, err
}

// ListenUDP opens a UDP socket at the server's address.
func (p *Pair) ListenUDP() (c *net.UDPConn, err error) {
	p.server.do(func() { c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(Server)}) })
	return c, err
}

// Address gives out an address for a client.
func (p *Pair) Address() string { return fmt.Sprintf("10.99.1.%d", p.last.Add(1)) }

// Dial connects by TCP from a client's address.
func (p *Pair) Dial(from, to string) (c net.Conn, err error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	p.clients.do(func() { c, err = d.Dial("tcp4", to) })
	return c, err
}

// DialUDP opens an unconnected UDP socket at a client's address.
func (p *Pair) DialUDP(from string) (c *net.UDPConn, err error) {
	p.clients.do(func() { c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)}) })
	return c, err
}

// Cut drops all packets from and to a client's address, from when it returns.
func (p *Pair) Cut(addr string) error {
	return p.clients.sh("nft add element ip hangup gone { " + addr + " }")
}

// Join takes a Cut back.
func (p *Pair) Join(addr string) error {
	return p.clients.sh("nft delete element ip hangup gone { " + addr + " }")
}

// Reject is a Cut that answers packets for the address by "host unreachable".
func (p *Pair) Reject(addr string) error {
	return p.clients.sh("nft add element ip hangup rejected { " + addr + " }")
}

// A space is a network namespace, with the thread that lives in it.
type space struct {
	tid  int
	work chan func()
}

func newSpace(t testing.TB) (*space, error) {
	s := &space{work: make(chan func())}
	made := make(chan error)
	over := make(chan struct{})
	go s.run(made, over)
	if err := <-made; err != nil {
		return nil, err
	}
	t.Cleanup(func() { close(s.work); <-over })
	return s, nil
}

// run never unlocks its thread, which ends with it: no other goroutine may find
// itself in the namespace.
func (s *space) run(made chan<- error, over chan<- struct{}) {
	runtime.LockOSThread()
	defer close(over)
	s.tid = unix.Gettid()
	err := unix.Unshare(unix.CLONE_NEWNET)
	if err != nil {
		err = fmt.Errorf("unshare: %w", err)
	}
	made <- err
	if err != nil {
		return
	}
	for f := range s.work {
		f()
	}
}

// do runs f in the namespace: sockets that it makes, and processes that it starts,
// belong there.
func (s *space) do(f func()) {
	done := make(chan struct{})
	s.work <- func() { defer close(done); f() }
	<-done
}

func (s *space) sh(script string) (err error) {
	s.do(func() {
		var out []byte
		if out, err = exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
		}
	})
	return err
}
