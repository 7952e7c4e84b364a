package httpwire_test

import (
	"bytes"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// A gate is a listener whose connections hold the first large write in the middle of
// what it belongs to.
type gate struct {
	net.Listener
	held, open chan struct{}
	once       sync.Once
	asked      atomic.Bool // a probe has been written
}

func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{c, g}, nil
}

type gatedConn struct {
	net.Conn
	g *gate
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("102 Processing")) {
		c.g.asked.Store(true)
	}
	n, err := c.Conn.Write(p)
	if len(p) >= 4096 {
		c.g.once.Do(func() {
			close(c.g.held)
			<-c.g.open
		})
	}
	return n, err
}

// HalfCloseProbe: an interim response of the handler's, of several writes, is not
// broken into.
func TestHalfClose_interimIsWhole(t *testing.T) {
	v := variants[0]
	v.opts = &httpwire.Options{HalfClose: httpwire.HalfCloseProbe}
	var vs visits
	s := v.configure(t, &vs)
	s.Handler = vs.outer(s.Handler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.addr = l.Addr().String()
	g := &gate{Listener: l, held: make(chan struct{}), open: make(chan struct{})}
	s.serve(t, httpwire.Listener(g))
	link := "</" + strings.Repeat("x", 10_000) + ">"
	visit := vs.answer(t, "/", "whole", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", link)
		w.WriteHeader(http.StatusEarlyHints)
	})
	c := s.half(t, getHalf, "/")
	receive(t, g.held, "the interim response to begin")
	must(t, c.below.CloseWrite())
	waitFor(t, "the probe to wait, or not to", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return g.asked.Load() || bytes.Contains(stacks, []byte("(*half).probe("))
	})
	close(g.open)
	res, _, err := c.next()
	must(t, err)
	if res.StatusCode != http.StatusEarlyHints || res.Header.Get("Link") != link {
		t.Errorf("%s, not the whole header", res.Status)
	}
	c.question(t, v)
	close(visit.release)
	c.final(t, "whole")
	visit.end(t, 0)
}
