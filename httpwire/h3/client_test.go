package h3_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A client is one HTTP/3 connection whose frames the test chooses.
type client struct {
	t    testing.TB
	addr string
	quic *quic.Conn
	h3   *http3.ClientConn
	wire *cable
}

// dial connects to s. conf may be nil.
func dial(t testing.TB, s *server, conf *quic.Config) *client {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return dialFrom(t, s, conf, pc)
}

// dialFrom is dial from a socket, which is closed when t ends.
func dialFrom(t testing.TB, s *server, conf *quic.Config, pc *net.UDPConn) *client {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, addr: s.addr, wire: &cable{PacketConn: pc}}
	transport := &quic.Transport{Conn: c.wire}
	ctx, stop := context.WithTimeout(context.Background(), bound)
	defer stop()
	if c.quic, err = transport.Dial(ctx, to, s.tls, conf); err != nil {
		t.Fatal(err)
	}
	c.h3 = (&http3.Transport{}).NewClientConn(c.quic)
	t.Cleanup(func() {
		_ = c.quic.CloseWithError(0x100, "")
		_ = transport.Close()
		_ = pc.Close()
	})
	return c
}

// A cable is a UDP socket that can be cut: then it swallows what it is given and
// delivers nothing.
type cable struct {
	net.PacketConn
	isCut atomic.Bool
	lose  atomic.Pointer[chan struct{}] // loses the next packet, then is closed
}

// loseNext loses the next packet that is sent; lost is closed then.
func (c *cable) loseNext() (lost chan struct{}) {
	lost = make(chan struct{})
	c.lose.Store(&lost)
	return lost
}

func (c *cable) cut() { c.isCut.Store(true) }

func (c *cable) WriteTo(p []byte, a net.Addr) (int, error) {
	if c.isCut.Load() {
		return len(p), nil
	}
	if lost := c.lose.Swap(nil); lost != nil {
		close(*lost)
		return len(p), nil
	}
	return c.PacketConn.WriteTo(p, a)
}

func (c *cable) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, a, err := c.PacketConn.ReadFrom(p)
		if err != nil || !c.isCut.Load() {
			return n, a, err
		}
	}
}

// withBody is a method for which http3's client does not announce "Content-Length: 0" when it
// sends the header alone, as it does for POST.
const withBody = "SEARCH"

// open sends the header of a request and leaves the stream open.
func (c *client) open(method, path string, header ...string) *http3.RequestStream {
	c.t.Helper()
	str, err := c.tryOpen(method, path, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	return str
}

func (c *client) tryOpen(method, path string, header ...string) (*http3.RequestStream, error) {
	ctx, stop := context.WithTimeout(context.Background(), bound)
	defer stop()
	r, err := http.NewRequest(method, "https://"+c.addr+path, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	str, err := c.h3.OpenRequestStream(ctx)
	if err != nil {
		return nil, err
	}
	return str, str.SendRequestHeader(r)
}

// get sends a whole request: its FIN too.
func (c *client) get(path string, header ...string) *http3.RequestStream {
	c.t.Helper()
	str := c.open(http.MethodGet, path, header...)
	_ = str.Close() // fails if the handler has reset the stream by now
	return str
}

// status reads the whole response of str.
func status(t testing.TB, str *http3.RequestStream) int {
	t.Helper()
	code, err := response(str)
	if err != nil {
		t.Fatalf("response: %v", err)
	}
	return code
}

func response(str *http3.RequestStream) (int, error) {
	rsp, err := str.ReadResponse()
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, rsp.Body)
	return rsp.StatusCode, err
}

// A control is a request that nothing must touch while another one's client leaves.
type control struct {
	*visit
	str *http3.RequestStream
}

func newControl(s *server, c *client) control {
	s.t.Helper()
	str := c.get("/")
	return control{s.next(), str}
}

// untouched checks that the request still runs, then completes it.
func (c control) untouched() {
	c.t.Helper()
	if err := c.r.Context().Err(); err != nil {
		c.t.Errorf("control request's context: %v (%v)", err, context.Cause(c.r.Context()))
	}
	c.finish()
	c.visit.untouched()
	if got := status(c.t, c.str); got != http.StatusOK {
		c.t.Errorf("control request's status = %d", got)
	}
}

// A transport is http3's own client.
type transport struct {
	*http3.Transport
	t    testing.TB
	addr string
}

func newTransport(t testing.TB, s *server) *transport {
	conf := s.tls.Clone()
	c := &transport{&http3.Transport{TLSClientConfig: conf}, t, s.addr}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// start sends a GET that can be cancelled. done gets its error, nil for a complete response.
func (c *transport) start(path string) (stop context.CancelFunc, done chan error) {
	c.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.addr+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() { done <- c.do(r) }()
	return stop, done
}

func (c *transport) do(r *http.Request) error {
	rsp, err := c.RoundTrip(r)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	_, err = io.Copy(io.Discard, rsp.Body)
	return err
}
