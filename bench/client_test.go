//go:build cgo && linux

package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// The client of a measurement of time is a process of its own: within one
// process the runtime finds the event at the end of the close that caused it, and
// nobody has to be woken.
//
// It is this test binary again. It gets commands on its standard input and
// answers on its standard output.

// A command to the client.
type command struct {
	Proto string // of protocols, or of the loads
	Addr  string
	Quiet time.Duration // before leaving, and before the answer
	Batch int           // if not 0: how many requests to send, and leave one by one
	Load  time.Duration // or, if not 0: for how long to send requests, and answer how many that were
}

const clientEnv = "HANGUP_BENCH_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(clientEnv) != "" {
		clientMain()
		return
	}
	m.Run()
}

// A client is the process, seen from the server.
type client struct {
	b   *testing.B
	in  *json.Encoder
	out *json.Decoder
}

func newClient(b *testing.B) *client {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		must(b, cmd.Wait())
	})
	c := &client{b, json.NewEncoder(in), json.NewDecoder(out)}
	cert, _ := certificate(b)
	c.send(cert.Certificate[0])
	return c
}

func (c *client) send(v any) { must(c.b, c.in.Encode(v)) }

func (c *client) receive(v any) { must(c.b, c.out.Decode(v)) }

// clientMain does one command after the other, until its input ends.
func clientMain() {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	var der []byte
	check(in.Decode(&der))
	root, err := x509.ParseCertificate(der)
	check(err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	l := &leaver{config: &tls.Config{RootCAs: pool}, http2: map[string]*frames{}, http3: map[string]*http3.ClientConn{}}
	loads := loader{config: l.config, clients: map[string][]func(){}}
	runtime.LockOSThread()
	for {
		var c command
		if err := in.Decode(&c); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		if c.Load != 0 {
			check(out.Encode(loads.run(c)))
			continue
		}
		if c.Batch != 0 {
			check(out.Encode(leaveAll(c, func() { check(in.Decode(&struct{}{})) })))
			continue
		}
		leave := l.request(c.Proto, c.Addr)
		check(in.Decode(&struct{}{})) // the handler runs
		sleep(c.Quiet)
		left := clock()
		leave()
		sleep(c.Quiet)
		check(out.Encode(left))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// clock is the time that all processes share, in nanoseconds.
func clock() int64 {
	var t unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &t))
	return t.Nano()
}

// sleep keeps the thread: no other has to be woken at its end.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	for {
		// Raw: at the end of a plain one the runtime wakes threads of its own.
		_, _, err := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), uintptr(unsafe.Pointer(&t)), 0)
		if err != unix.EINTR {
			return
		}
	}
}

// A leaver sends requests and can leave them.
type leaver struct {
	config *tls.Config
	http2  map[string]*frames // by address
	http3  map[string]*http3.ClientConn
}

func (l *leaver) request(proto, addr string) (leave func()) {
	switch proto {
	case "HTTP1":
		return closer(addr)
	case "HTTP2":
		f := l.http2[addr]
		if f == nil {
			f = l.dial2(addr)
			l.http2[addr] = f
		}
		id := f.request()
		return func() { check(f.WriteRSTStream(id, http2.ErrCodeCancel)) }
	}
	c := l.http3[addr]
	if c == nil {
		c = l.dial3(addr)
		l.http3[addr] = c
	}
	str, err := c.OpenRequestStream(context.Background())
	check(err)
	check(str.SendRequestHeader(getRequest("https://" + addr)))
	check(str.Close())
	return func() { str.CancelRead(0x10c) } // STOP_SENDING, H3_REQUEST_CANCELLED
}

// closer sends a request over a bare socket: Go's own would do more than close.
func closer(addr string) (leave func()) {
	_, leave = closerOf(addr)
	return leave
}

func closerOf(addr string) (fd int, leave func()) {
	a := netip.MustParseAddrPort(addr)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(err)
	check(unix.Connect(fd, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}))
	_, err = unix.Write(fd, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	check(err)
	return fd, func() { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
}

// frames is an HTTP/2 connection.
type frames struct {
	*http2.Framer
	next uint32
}

func (l *leaver) dial2(addr string) *frames {
	c, err := dialTLS(addr, l.config, "h2")
	check(err)
	f := newFrames(c)
	go io.Copy(io.Discard, c)
	return f
}

func dialTLS(addr string, conf *tls.Config, proto string) (net.Conn, error) {
	conf = conf.Clone()
	conf.NextProtos = []string{proto}
	return tls.Dial("tcp", addr, conf)
}

// newFrames returns when the server's settings have come.
func newFrames(c net.Conn) *frames {
	_, err := io.WriteString(c, http2.ClientPreface)
	check(err)
	f := &frames{http2.NewFramer(c, c), 1}
	check(f.WriteSettings())
	for {
		fr, err := f.ReadFrame()
		check(err)
		if s, ok := fr.(*http2.SettingsFrame); ok && !s.IsAck() {
			break
		}
	}
	check(f.WriteSettingsAck())
	return f
}

// request sends one whose header needs no table: GET, https, /, and the authority.
func (f *frames) request() (id uint32) {
	id = f.next
	f.next += 2
	check(f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: []byte{0x82, 0x87, 0x84, 0x41, 1, 'h'}, EndStream: true, EndHeaders: true,
	}))
	return id
}

func (l *leaver) dial3(addr string) *http3.ClientConn { return dial3(addr, l.config) }

func dial3(addr string, conf *tls.Config) *http3.ClientConn {
	conf = conf.Clone()
	conf.NextProtos = []string{http3.NextProtoH3}
	qc, err := quic.DialAddr(context.Background(), addr, conf, nil)
	check(err)
	return new(http3.Transport).NewClientConn(qc)
}

func getRequest(url string) *http.Request {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	check(err)
	return req
}
