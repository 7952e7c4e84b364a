package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/bench/internal/protocol"
)

// A leaver sends requests and can leave them.
type leaver struct {
	config *tls.Config
	http2  map[string]*frames // by address
	http3  map[string]*http3.ClientConn
	behind []int // sockets that are to have a next request behind the open one
}

// next1 is what comes behind a pipelined request.
const next1 = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"

// sendNext sends the next requests, now that the first ones are inside their calls.
func (l *leaver) sendNext() {
	for _, fd := range l.behind {
		_, err := unix.Write(fd, []byte(next1))
		check(err)
	}
	l.behind = nil
}

func newLeaver(config *tls.Config) leaver {
	return leaver{config: config, http2: map[string]*frames{}, http3: map[string]*http3.ClientConn{}}
}

// request sends one for /n. What leave does is what a client does that gives up: close its
// connection of HTTP/1.1, reset its stream of the others.
func (l *leaver) request(c command, n int) (leave func()) {
	path := "/" + strconv.Itoa(n)
	switch c.Proto {
	case protocol.HTTP1:
		fd := open1(c.Addr, head1(c.Kind, path))
		if c.Kind == protocol.Pipelined {
			l.behind = append(l.behind, fd)
		}
		return func() { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) } // Go's own would do more
	case protocol.HTTP1TLS:
		conn, err := dialTLS(c.Addr, l.config, "http/1.1")
		check(err)
		_, err = io.WriteString(conn, head1(c.Kind, path))
		check(err)
		return func() { _ = conn.Close() } // close_notify, FIN
	case protocol.HTTP2Closed:
		f := dial2(protocol.HTTP2, c.Addr, l.config, true)
		f.request(path)
		return func() { _ = f.conn.Close() }
	case protocol.HTTP2, protocol.H2C:
		f := cached(l.http2, c.Addr, func() *frames { return dial2(c.Proto, c.Addr, l.config, true) })
		id := f.request(path)
		return func() { check(f.WriteRSTStream(id, http2.ErrCodeCancel)) }
	}
	conn := cached(l.http3, c.Addr, func() *http3.ClientConn { return dial3(c.Addr, l.config) })
	str, err := conn.OpenRequestStream(context.Background())
	check(err)
	check(str.SendRequestHeader(getRequest("https://" + c.Addr + path)))
	check(str.Close())
	return func() { str.CancelRead(0x10c) } // STOP_SENDING, H3_REQUEST_CANCELLED
}

func cached[T any](conns map[string]T, addr string, dial func() T) T {
	if _, ok := conns[addr]; !ok {
		conns[addr] = dial()
	}
	return conns[addr]
}

// head1 is the bytes of a request.
func head1(k protocol.Kind, path string) string {
	switch k {
	case protocol.Unread:
		return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nthe first part"
	case protocol.Expect:
		return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
	case protocol.Pipelined:
		return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" // and next1
	}
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"
}

// open1 sends a request over a bare socket.
func open1(addr, head string) (fd int) {
	a := netip.MustParseAddrPort(addr)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(err)
	check(unix.Connect(fd, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}))
	_, err = unix.Write(fd, []byte(head))
	check(err)
	return fd
}

func dialTLS(addr string, conf *tls.Config, proto string) (net.Conn, error) {
	conf = conf.Clone()
	conf.NextProtos = []string{proto}
	return tls.Dial("tcp", addr, conf)
}

// frames is an HTTP/2 connection.
type frames struct {
	*http2.Framer
	conn   net.Conn
	scheme byte // as an index of HPACK's table
	next   uint32
}

// dial2 returns when the server's settings have come. If discard, nobody is to read.
func dial2(p protocol.Protocol, addr string, conf *tls.Config, discard bool) *frames {
	var c net.Conn
	var err error
	scheme := byte(0x87)
	if p == protocol.H2C {
		scheme = 0x86
		c, err = net.Dial("tcp", addr)
	} else {
		c, err = dialTLS(addr, conf, "h2")
	}
	check(err)
	_, err = io.WriteString(c, http2.ClientPreface)
	check(err)
	f := &frames{http2.NewFramer(c, c), c, scheme, 1}
	check(f.WriteSettings())
	for {
		fr, err := f.ReadFrame()
		check(err)
		if s, ok := fr.(*http2.SettingsFrame); ok && !s.IsAck() {
			break
		}
	}
	check(f.WriteSettingsAck())
	if discard {
		go io.Copy(io.Discard, c)
	}
	return f
}

// request sends one whose header needs no state: GET, scheme, path, authority.
func (f *frames) request(path string) (id uint32) {
	id = f.next
	f.next += 2
	if len(path) > 100 {
		panic(fmt.Sprintf("a path of %d bytes", len(path)))
	}
	block := append([]byte{0x82, f.scheme, 0x04, byte(len(path))}, path...)
	check(f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: append(block, 0x41, 1, 'h'), EndStream: true, EndHeaders: true,
	}))
	return id
}

func dial3(addr string, conf *tls.Config) *http3.ClientConn {
	conf = conf.Clone()
	conf.NextProtos = []string{http3.NextProtoH3}
	qc, err := quic.DialAddr(context.Background(), addr, conf, &quic.Config{KeepAlivePeriod: 5e9}) // cells are seconds apart
	check(err)
	return new(http3.Transport).NewClientConn(qc)
}
