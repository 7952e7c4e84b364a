package httpwire_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// hold makes a visit of an exchange: it does its part, says so, and waits.
func (vs *visits) hold(t testing.TB, path string, do func(http.ResponseWriter, *http.Request) error) *visit {
	var v *visit
	v = vs.expect(path, func(w http.ResponseWriter, r *http.Request) {
		if do != nil {
			if err := do(w, r); err != nil {
				t.Errorf("handler: %v", err)
			}
		}
		close(v.ready)
		<-v.release
	})
	return v
}

// An ending is a way to end a TCP connection.
type ending struct {
	name string
	kind httpwire.Kind
	tls  bool // above TLS only
	end  func(t testing.TB, c net.Conn, below *net.TCPConn)
}

// Each with the kind that it has under the default policy for half-closes.
var endings = []ending{
	{name: "close", kind: httpwire.Closed, end: func(t testing.TB, c net.Conn, _ *net.TCPConn) { must(t, c.Close()) }},
	{name: "close below TLS", kind: httpwire.Closed, tls: true, end: func(t testing.TB, _ net.Conn, below *net.TCPConn) { must(t, below.Close()) }},
	{name: "reset", kind: httpwire.Reset, end: func(t testing.TB, _ net.Conn, below *net.TCPConn) {
		must(t, below.SetLinger(0))
		must(t, below.Close())
	}},
	{name: "half-close", kind: httpwire.Closed, end: func(t testing.TB, _ net.Conn, below *net.TCPConn) { must(t, below.CloseWrite()) }},
	{name: "close_notify alone", kind: httpwire.Closed, tls: true, end: func(t testing.TB, c net.Conn, _ *net.TCPConn) {
		must(t, c.(*tls.Conn).CloseWrite())
	}},
}

// H1: on HTTP/1.1 every way of leaving is told, once, with its kind, and to nobody
// else.
func TestOnDisconnect_http1(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for _, x := range exchanges(t, "leaves") {
			for _, e := range endings {
				if e.tls && !v.tls || slices.Contains(x.unseen, e.name) {
					continue
				}
				t.Run(x.name+"/"+e.name, func(t *testing.T) {
					control := vs.control(t, s)
					if x.none() {
						x.leavesUnborn(t, s, e)
					} else {
						x.leaves(t, &vs, s, e)
					}
					control.untouched(t)
				})
			}
		}
	})
}

func (x *exchange) leaves(t *testing.T, vs *visits, s *server, e ending) {
	path := pathOf(t)
	visit := vs.hold(t, path, x.do)
	c, below := s.dial(t)
	h := x.send(t, c, path)
	receive(t, visit.ready, "the handler")
	for _, line := range x.read {
		h.read1(t, line, false) // all of it, or the close is a reset
	}
	e.end(t, c, below)
	visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: e.kind})
}

// leavesUnborn is for what never becomes a request.
func (x *exchange) leavesUnborn(t *testing.T, s *server, e ending) {
	c, below := s.dial(t)
	x.send(t, c, "/nobody")
	e.end(t, c, below)
	waitFor(t, "the server to close the connection", func() bool { return s.open.Load() == 1 }) // the control's
}

// send sends what the exchange says.
func (x *exchange) send(t testing.TB, c net.Conn, path string) h1client {
	t.Helper()
	_, err := io.WriteString(c, strings.ReplaceAll(x.sent, "{path}", path))
	must(t, err)
	return h1client{bufio.NewReader(c), c}
}

// pathOf returns a path that belongs to t alone.
func pathOf(t testing.TB) string { return "/" + strings.ReplaceAll(t.Name(), " ", "-") }

// control holds a request on a connection of its own.
func (vs *visits) control(t *testing.T, s *server) *visit {
	t.Helper()
	path := pathOf(t) + "-control"
	control := vs.hold(t, path, nil)
	if s.proto == httpwire.HTTP2 {
		s.h2(t).get(path)
	} else {
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
	}
	receive(t, control.ready, "the control request")
	return control
}

func send(t testing.TB, c net.Conn, format, path string) {
	t.Helper()
	_, err := fmt.Fprintf(c, format, path)
	must(t, err)
}

// H1: a FIN that came before a request is told to it as well: requests are
// pipelined, their bodies not read, so that net/http sees nothing at all.
func TestOnDisconnect_closedBetweenRequests(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		first, second := vs.hold(t, "/first", nil), vs.hold(t, "/second", nil)
		c, below := s.dial(t)
		const post = "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
		send(t, c, fmt.Sprintf(post, "/first")+post, "/second")
		receive(t, first.ready, "the first handler")
		must(t, below.CloseWrite())
		first.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
		receive(t, second.ready, "the second handler")
		second.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	})
}

// H1, H2: on HTTP/2 a reset is told with its exact code, before and after the end
// of the request, and to its own stream alone.
func TestOnDisconnect_http2Reset(t *testing.T) {
	codes := []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeInternal, http2.ErrCodeCancel, 0xdeadbeef}
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		c := s.h2(t)
		for i, code := range codes {
			for _, when := range []string{"after END_STREAM", "before END_STREAM", "body unread", "body being read", "behind HEADERS", "response begun"} {
				t.Run(fmt.Sprintf("%s/%#x", when, uint32(code)), func(t *testing.T) {
					path := fmt.Sprintf("/%d-%s", i, strings.ReplaceAll(when, " ", "-"))
					control := vs.hold(t, path+"-control", nil)
					c.get(path + "-control")
					receive(t, control.ready, "the control request")

					var do func(http.ResponseWriter, *http.Request) error
					switch when {
					case "response begun":
						do = begin
					case "body being read":
						do = readOn
					}
					visit := vs.hold(t, path, do)
					id := c.headers("POST", path, when == "after END_STREAM")
					if strings.HasPrefix(when, "body") {
						must(t, c.fr.WriteData(id, false, []byte("some")))
					}
					if when != "behind HEADERS" {
						c.flush()
						receive(t, visit.ready, "the handler")
					}
					c.reset(id, code)
					receive(t, visit.ready, "the handler")
					d := visit.gone(t, httpwire.Disconnect{
						Proto: httpwire.HTTP2, Kind: httpwire.StreamReset, Code: uint64(code), HasCode: true,
					})
					if d.Source != httpwire.SourceFrame {
						t.Errorf("source = %v, want frame", d.Source)
					}
					control.untouched(t)
				})
			}
		}
	})
}

// H1: the end of an HTTP/2 connection is told to all its requests, and to those of
// no other connection.
func TestOnDisconnect_http2Connection(t *testing.T) {
	// A close with frames unread, or met by a frame of the server's, is a reset.
	loose := []httpwire.Kind{httpwire.Closed, httpwire.Reset, httpwire.WriteFailed}
	endings := []struct {
		name  string
		kinds []httpwire.Kind
		end   func(t testing.TB, c *h2client)
	}{
		{"half-close", []httpwire.Kind{httpwire.Closed}, func(t testing.TB, c *h2client) { must(t, c.below.CloseWrite()) }},
		{"close", loose, func(t testing.TB, c *h2client) { must(t, c.c.Close()) }},
		{"reset", []httpwire.Kind{httpwire.Reset}, func(t testing.TB, c *h2client) {
			c.ping() // the server has nothing left to send: a write may learn of a reset as EPIPE, and be first to say so
			must(t, c.below.SetLinger(0))
			must(t, c.below.Close())
		}},
		{"goaway and close", loose, func(t testing.TB, c *h2client) {
			must(t, c.fr.WriteGoAway(0, http2.ErrCodeNo, nil))
			c.flush()
			must(t, c.below.Close())
		}},
		{"half a HEADERS", []httpwire.Kind{httpwire.Closed}, func(t testing.TB, c *h2client) {
			c.out.Write([]byte{0, 0, 9, 1, 4, 0, 0, 0, 9, 0x82})
			c.flush()
			must(t, c.below.CloseWrite())
		}},
		{"HEADERS without an end", []httpwire.Kind{httpwire.Closed}, func(t testing.TB, c *h2client) {
			must(t, c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 9, BlockFragment: []byte{0x82}}))
			c.flush()
			must(t, c.below.CloseWrite())
		}},
		{"half a frame", []httpwire.Kind{httpwire.Closed}, func(t testing.TB, c *h2client) {
			c.out.Write([]byte{0, 0, 4, 3, 0})
			c.flush()
			must(t, c.below.CloseWrite())
		}},
	}
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for i, e := range endings {
			t.Run(e.name, func(t *testing.T) {
				path := func(name string) string { return fmt.Sprintf("/%d-%s", i, name) }
				control := vs.hold(t, path("control"), nil)
				s.h2(t).get(path("control"))
				receive(t, control.ready, "the control request")

				c := s.h2(t)
				get, post := vs.hold(t, path("get"), nil), vs.hold(t, path("post"), nil)
				c.get(path("get"))
				c.headers("POST", path("post"), false)
				c.flush()
				receive(t, get.ready, "the first handler")
				receive(t, post.ready, "the second handler")
				e.end(t, c)
				for _, visit := range []*visit{get, post} {
					d := receive(t, visit.fired, "OnDisconnect's callback")
					ok := false
					for _, k := range e.kinds {
						ok = ok || d.Kind == k
					}
					if !ok || d.HasCode {
						t.Errorf("got %+v, want one of %v", *d, e.kinds)
					}
					visit.fired <- d
					visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: d.Kind})
				}
				control.untouched(t)
			})
		}
	})
}
