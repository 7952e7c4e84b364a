package httpwire_test

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// Shutdown does not wait for an HTTP/2 connection that was never used, though its
// client's preface comes later: that client is told by a GOAWAY, as it would be
// without us.
func TestServer_prefaceInShutdown(t *testing.T) {
	eachAtOnce(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		if !v.tls {
			t.Skip("without TLS it is net/http that reads the preface")
		}
		s := v.configure(t, http.NotFoundHandler())
		l := listen(t)
		s.addr = l.Addr().String()
		patient := &patientListener{Listener: l, reads: make(chan struct{})}
		if v.bare {
			s.serve(t, patient)
		} else {
			s.serve(t, httpwire.Listener(patient))
		}
		c, below := s.dial(t)
		receive(t, patient.reads, "the server to read the preface")
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(t.Context()) }()
		waitFor(t, "Shutdown", func() bool { return httpwire.Down(s.Handler) })

		h := newH2client(t, c)
		h.below, h.tls = below, true
		h.out.WriteString(http2.ClientPreface)
		must(t, h.fr.WriteSettings())
		h.flush()
		go h.read()
		if code := receive(t, h.goAway, "GOAWAY"); code != http2.ErrCodeNo {
			t.Errorf("GOAWAY with %v", code)
		}
		receive(t, h.done, "the connection to end")
		must(t, receive(t, down, "Shutdown"))
	})
}

// A patientListener says when the server begins to wait for a preface: it sets a
// deadline for that, its first.
type patientListener struct {
	net.Listener
	reads chan struct{}
	once  sync.Once
}

func (l *patientListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return patientConn{c, l}, err
}

type patientConn struct {
	net.Conn
	l *patientListener
}

func (c patientConn) SetReadDeadline(t time.Time) error {
	c.l.once.Do(func() { close(c.l.reads) })
	return c.Conn.SetReadDeadline(t)
}
