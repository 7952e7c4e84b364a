package httpwire_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/netns"
)

// slack is for a busy machine: the kernel's timers are on time, but the goroutine
// that is to tell has to get a processor.
const slack = time.Second

// A spaced is a server in a network namespace of its own, and the way to its
// clients.
type spaced struct {
	*server
	vs   visits
	pair *netns.Pair
}

func inSpace(t *testing.T, p *netns.Pair, v variant, set ...func(*http.Server)) *spaced {
	t.Helper()
	s := &spaced{pair: p}
	s.server = v.configure(t, &s.vs, set...)
	s.Handler = s.vs.outer(s.Handler)
	l, err := p.Listen()
	must(t, err)
	s.addr = l.Addr().String()
	if !s.bare {
		l = httpwire.Listener(l)
	}
	s.serve(t, l)
	return s
}

// A guest is a request from an address of its own.
type guest struct {
	*visit
	name   string
	addr   string
	below  *net.TCPConn
	gone   chan struct{}   // closed when the client has been cut off
	answer <-chan struct{} // closed when the client has the whole answer
	at     time.Time

	cutting time.Duration // how long the cut took: on a busy machine a client may answer meanwhile
}

// An act is what a handler does, before or after its client was cut off.
type act struct {
	name   string
	unread bool // HTTP/1: a body that nobody reads, so that nobody reads the connection
	fails  bool // a write fails
	do     func(g *guest, w http.ResponseWriter, r *http.Request)
}

var acts = []act{
	{name: "blocked"},
	{name: "blocked, body unread", unread: true},
	{name: "pieces", fails: true, do: func(g *guest, w http.ResponseWriter, r *http.Request) {
		pieces(w, r)
	}},
	{name: "fills the socket", fails: true, do: func(g *guest, w http.ResponseWriter, r *http.Request) {
		<-g.gone
		_ = writeUntilError(w, r)
	}},
	// The worst case: data starts TCP's other clock when the keepalive has almost run down.
	{name: "writes late", do: late},
	{name: "writes late, body unread", unread: true, do: late},
}

// pieces writes and flushes until that fails or the context is done.
func pieces(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begin(w, r) == nil {
		if _, err := io.WriteString(w, "piece"); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func late(g *guest, w http.ResponseWriter, r *http.Request) {
	<-g.gone
	select {
	case <-r.Context().Done(): // HTTP/2 was sooner
	case <-time.After(peerTimeout/2 - 200*time.Millisecond):
		_ = begin(w, r)
	}
}

// visitor sends a request from an address of its own, and returns when its handler
// runs.
func (s *spaced) visitor(t *testing.T, a act) *guest {
	t.Helper()
	path := "/" + strings.ReplaceAll(strings.ReplaceAll(a.name, " ", "-"), ",", "")
	g := &guest{name: s.name + "/" + a.name, addr: s.pair.Address(), gone: make(chan struct{})}
	g.visit = s.vs.expect(path, nil)
	g.do = func(w http.ResponseWriter, r *http.Request) {
		close(g.ready)
		if a.do != nil {
			a.do(g, w, r)
		}
		<-g.release
	}
	s.from = func() (net.Conn, error) { return s.pair.Dial(g.addr, s.addr) }
	if s.proto == httpwire.HTTP2 {
		g.request2(t, s.server, path)
	} else {
		g.request1(t, s.server, path, a.unread)
	}
	receive(t, g.ready, "the handler of "+g.name)
	return g
}

func (g *guest) request1(t *testing.T, s *server, path string, unread bool) {
	t.Helper()
	c, below := s.dial(t)
	g.below = below
	answer := make(chan struct{})
	g.answer = answer
	if unread {
		send(t, c, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", path)
	} else {
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
	}
	over := make(chan struct{})
	t.Cleanup(func() { _ = below.Close(); receive(t, over, "the client's reader") })
	go func() {
		defer close(over)
		if n, _ := io.ReadFull(c, make([]byte, len("HTTP/1.1 200 OK"))); n > 0 {
			close(answer)
		}
		_, _ = io.Copy(io.Discard, c)
	}()
}

func (g *guest) request2(t *testing.T, s *server, path string) {
	t.Helper()
	c := s.h2(t)
	g.below = c.below
	must(t, c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	must(t, c.fr.WriteWindowUpdate(0, 1<<30))
	g.answer = c.end(c.get(path))
}

// cut makes the client vanish.
func (g *guest) cut(t *testing.T, p *netns.Pair) {
	t.Helper()
	g.at = time.Now() // before: what takes long counts against us
	must(t, p.Cut(g.addr))
	g.cutting = time.Since(g.at)
	close(g.gone)
}

// vanished asserts that the guest was found to have gone, in time.
func (g *guest) vanished(t *testing.T, v variant, within time.Duration) {
	t.Helper()
	d := g.visit.gone(t, httpwire.Disconnect{Proto: v.proto, Kind: httpwire.Timeout})
	took := d.Time.Sub(g.at)
	t.Logf("after %4d ms by %v: %v", took.Milliseconds(), d.Source, d)
	if took > within+g.cutting {
		t.Errorf("found after %v, want at most %v", took, within)
	}
}

// loses reports whether the end of a connection may be lost where a write fails:
// net/http closes the connection inside the write, and without the wrapped listener
// the monitor loses its event by that.
func loses(v variant) bool { return v.bare && v.proto == httpwire.HTTP1 }

// H1, H2: with PeerTimeout, a client that vanishes without a packet is found within
// it, as a timeout, whatever its handler does; a live and silent one beside it is not cut off.
func TestPeerTimeout_vanished(t *testing.T) {
	t.Parallel()
	p := netns.New(t)
	var rows []func(t *testing.T)
	var controls []func()
	for _, v := range variants {
		v.opts = &httpwire.Options{PeerTimeout: peerTimeout}
		s := inSpace(t, p, v)
		control := s.visitor(t, act{name: "control"})
		since := time.Now()
		for _, a := range acts {
			if a.unread && v.proto != httpwire.HTTP1 || a.fails && loses(v) {
				continue
			}
			g := s.visitor(t, a)
			g.cut(t, p)
			rows = append(rows, func(t *testing.T) {
				t.Run(g.name, func(t *testing.T) { g.vanished(t, v, peerTimeout+slack) })
			})
		}
		controls = append(controls, func() {
			// Nothing tells that nothing will happen: wait, from the client's last packet on.
			time.Sleep(time.Until(since.Add(2*peerTimeout + slack)))
			control.untouched(t)
			receive(t, control.answer, "the answer to the live client, "+s.name)
		})
	}
	for _, f := range rows {
		f(t)
	}
	for _, f := range controls {
		f()
	}
}
