package httpwire_test

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// A slowClose makes Server.Close wait, behind its close_notify, for the client's
// reaction to that.
type slowClose struct {
	net.Listener
	closing  atomic.Bool
	reacted  chan struct{}
	reaction sync.Once
}

func (l *slowClose) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &slowCloseConn{c, l}, err
}

type slowCloseConn struct {
	net.Conn
	l *slowClose
}

func (c *slowCloseConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.l.closing.Load() {
		select {
		case <-c.l.reacted:
		case <-time.After(bound):
		}
	}
	return n, err
}

func (c *slowCloseConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.l.closing.Load() && n > 0 {
		c.l.reaction.Do(func() { close(c.l.reacted) })
	}
	return n, err
}

// H3: a stream that its client resets because Server.Close has told it so, before the
// descriptor is closed.
func TestOnDisconnect_resetInReactionToClose(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		if !v.tls || v.bare {
			t.Skip("is about close_notify, below a wrapped listener")
		}
		var vs visits
		s := v.configure(t, &vs)
		s.Handler = vs.outer(s.Handler)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s.addr = l.Addr().String()
		slow := &slowClose{Listener: l, reacted: make(chan struct{})}
		s.serve(t, httpwire.Listener(slow))
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		id := c.get("/")
		receive(t, visit.ready, "the handler")
		c.ping()
		slow.closing.Store(true)
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		receive(t, c.done, "the server's close_notify")
		c.reset(id, http2.ErrCodeCancel)
		receive(t, visit.ctx.Done(), "the context to be done")
		receive(t, closed, "Close")
		visit.end(t, 0)
	})
}

// A Go release in which a tls.Conn's note of its own closing has moved must not go
// unnoticed: what is left then is a guess by time. Nor one in which the errors that end it
// have moved: what is left then is TCP.
func TestTLS_closingIsKnown(t *testing.T) {
	if !httpwire.KnowsTLSClosing() {
		t.Error("crypto/tls.Conn has no field activeCall of type atomic.Int32: see tlsabove.go")
	}
	if !httpwire.KnowsTLSErrors() {
		t.Error("crypto/tls.Conn has no fields in and out with a Mutex and an err: see tlshalf.go")
	}
}

// H1: that a client has sent a close_notify is known also while somebody else holds the input's mutex, who
// finds the same end; and a Read that waits holds it, and nothing has ended.
func TestTLS_closeNotified(t *testing.T) {
	l := listen(t)
	defer func() { _ = l.Close() }()
	dialed := make(chan *tls.Conn, 1)
	go func() {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	}()
	raw, err := l.Accept()
	must(t, err)
	served := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	defer func() { _ = raw.Close() }()
	must(t, served.Handshake())
	client := receive(t, dialed, "the client")
	defer func() { _ = client.Close() }()

	release := httpwire.HoldTLSInput(served)
	if httpwire.CloseNotified(served) {
		t.Error("ended, while a Read waits")
	}
	release()
	must(t, client.CloseWrite())
	if _, err := served.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read: %v", err)
	}
	release = httpwire.HoldTLSInput(served)
	defer release()
	if !httpwire.CloseNotified(served) {
		t.Error("the close_notify is not known while another goroutine reads")
	}
}
