package httpwire_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// A connection of the wrapped listener does what the one below does.
func TestListener_conn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	wl := httpwire.Listener(l)
	defer func() { _ = wl.Close() }()
	if httpwire.Listener(wl) != wl {
		t.Error("wrapped twice")
	}
	client, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer func() { _ = client.Close() }()
	c, err := wl.Accept()
	must(t, err)
	if _, ok := c.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn); !ok {
		t.Error("NetConn is not the accepted connection")
	}
	n, err := c.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
	if n != 5 || err != nil {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	must(t, c.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(client); string(got) != "hello" || err != nil {
		t.Errorf("client read %q, %v", got, err)
	}
	must(t, c.(interface{ CloseRead() error }).CloseRead())
	must(t, c.Close())
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

// A TLS listener above ours, and ours by mistake above a TLS listener: both work.
func TestListener_tls(t *testing.T) {
	conf := &tls.Config{Certificates: []tls.Certificate{certificate()}, SessionTicketsDisabled: true}
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"above": func(l net.Listener) net.Listener { return tls.NewListener(httpwire.Listener(l), conf) },
		"below": func(l net.Listener) net.Listener { return httpwire.Listener(tls.NewListener(l, conf)) },
	} {
		t.Run(name, func(t *testing.T) {
			var vs visits
			v := variant{proto: httpwire.HTTP1, tls: true}
			s := v.configure(t, &vs)
			s.Handler = vs.outer(s.Handler)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			s.addr = l.Addr().String()
			served := make(chan error, 1)
			go func() { served <- s.Serve(wrap(l)) }()
			visit := vs.hold(t, "/", nil)
			c, _ := s.dial(t)
			send(t, c, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "/")
			receive(t, visit.ready, "the handler")
			must(t, c.Close())
			visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
			_ = s.Close()
			receive(t, served, "Serve")
		})
	}
}

// A hijacker that shuts its reading side has not seen its client leave.
func TestListener_closeReadIsLocal(t *testing.T) {
	var vs visits
	s := vs.serve(t, variants[0])
	visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.(interface{ CloseRead() error }).CloseRead(); err != nil {
			return err
		}
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("Read: %d, %v, want EOF", n, err)
		}
		return nil
	})
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
	receive(t, visit.ready, "the handler")
	visit.end(t, 0)
}

// A sendfile to a client that leaves is evidence.
func TestListener_sendfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, make([]byte, 64<<20), 0o600))
	var vs visits
	s := vs.serve(t, variants[0])
	visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if _, err := w.(io.ReaderFrom).ReadFrom(f); err == nil {
			return errors.New("sendfile to a client that has left: no error")
		}
		return nil
	})
	c, below := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
	_, err := bufio.NewReader(c).ReadString('\n')
	must(t, err)
	must(t, below.SetLinger(0))
	must(t, below.Close())
	visit.left(t)
}

// H3: a copy whose source breaks off is not a client that left, though the error
// looks the same.
func TestListener_readFromSource(t *testing.T) {
	var vs visits
	s := vs.serve(t, variants[0])
	visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := c.(io.ReaderFrom).ReadFrom(brokenSource{}); !errors.Is(err, errConnReset) {
			t.Errorf("err = %v", err)
		}
		return nil
	})
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
	receive(t, visit.ready, "the handler")
	visit.untouched(t)
}

type brokenSource struct{}

func (brokenSource) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errConnReset)}
}

// Thousands of idle connections cost no goroutine each of ours, and all of them
// dropped at once are noticed and forgotten.
func TestMonitor_manyConnections(t *testing.T) {
	if !httpwire.HasMonitor() {
		t.Skip("no monitor here")
	}
	const n = 300
	var vs visits
	s := vs.serve(t, variants[0])
	var all []*visit
	var conns []net.Conn
	for i := range n {
		path := "/" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		all = append(all, vs.hold(t, path, nil))
		c, _ := s.dial(t)
		conns = append(conns, c)
		// A body that is not read: net/http starts no goroutine that reads ahead.
		send(t, c, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", path)
	}
	for _, v := range all {
		receive(t, v.ready, "a handler")
	}
	if got := httpwire.Monitored(); got != n {
		t.Errorf("%d connections are monitored, want %d", got, n)
	}
	for _, c := range conns {
		must(t, c.Close())
	}
	for _, v := range all {
		v.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	}
	waitFor(t, "the monitor to end", func() bool { return httpwire.Monitored() == -1 })
}

// Keep-alive connections stay registered between requests, once, and are forgotten
// when the server closes them.
func TestMonitor_keepAlive(t *testing.T) {
	if !httpwire.HasMonitor() {
		t.Skip("no monitor here")
	}
	for _, v := range variants[:4] {
		t.Run(v.name, func(t *testing.T) {
			s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
			tr := v.transport()
			for range 5 {
				complete(t, tr, s.url("/"))
				if got := httpwire.Monitored(); got != 1 {
					t.Errorf("%d connections are monitored, want 1", got)
				}
			}
			tr.CloseIdleConnections()
			waitFor(t, "the monitor to end", func() bool { return httpwire.Monitored() == -1 })
		})
	}
}

// A Unix socket has no resets: a close is a close.
func TestListener_unixSocket(t *testing.T) {
	var vs visits
	s := vs.configureUnix(t)
	visit := vs.hold(t, "/", nil)
	c, err := net.Dial("unix", s.addr)
	must(t, err)
	send(t, c, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "/")
	receive(t, visit.ready, "the handler")
	must(t, c.Close())
	visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
}

func (vs *visits) configureUnix(t *testing.T) *server {
	t.Helper()
	s := variants[0].configure(t, vs)
	s.Handler = vs.outer(s.Handler)
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Skip("no Unix sockets:", err)
	}
	s.addr = l.Addr().String()
	s.serve(t, httpwire.Listener(l))
	return s
}
