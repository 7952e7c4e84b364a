package httpwire_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// An exchange is what the client has sent, and what the handler has done, before
// the client leaves. %s is the path.
type exchange struct {
	name string
	sent string
	do   func(w http.ResponseWriter, r *http.Request) error
}

var exchanges = []exchange{
	{name: "get", sent: "GET %s HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "http10", sent: "GET %s HTTP/1.0\r\n\r\n"},
	{name: "body unread", sent: "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789"},
	{name: "body half sent", sent: "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234"},
	{name: "body read", sent: "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", do: readAll},
	{name: "chunked unread", sent: "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	{name: "last chunk unread", sent: "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", do: readFive},
	{name: "stray byte", sent: "GET %s HTTP/1.1\r\nHost: h\r\n\r\nG"},
	{name: "pipelined", sent: "GET %s HTTP/1.1\r\nHost: h\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\n\r\n"},
	{name: "expect", sent: "POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"},
	{name: "full duplex", sent: "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234", do: fullDuplex},
	{name: "response begun", sent: "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", do: begin},
}

func readAll(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

func readFive(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.ReadFull(r.Body, make([]byte, 5))
	return err
}

func fullDuplex(w http.ResponseWriter, _ *http.Request) error {
	return http.NewResponseController(w).EnableFullDuplex()
}

func begin(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusOK)
	return http.NewResponseController(w).Flush()
}

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

// Ways to end a TCP connection.
var endings = []struct {
	name string
	kind httpwire.Kind
	end  func(t testing.TB, c net.Conn, below *net.TCPConn)
}{
	{"close", httpwire.Closed, func(t testing.TB, c net.Conn, _ *net.TCPConn) { must(t, c.Close()) }},
	{"close below TLS", httpwire.Closed, func(t testing.TB, _ net.Conn, below *net.TCPConn) { must(t, below.Close()) }},
	{"reset", httpwire.Reset, func(t testing.TB, _ net.Conn, below *net.TCPConn) {
		must(t, below.SetLinger(0))
		must(t, below.Close())
	}},
}

// H1: on HTTP/1.1 every way of leaving is told, once, with its kind, and to nobody
// else.
func TestOnDisconnect_http1(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for _, x := range exchanges {
			for _, e := range endings {
				t.Run(x.name+"/"+e.name, func(t *testing.T) {
					path := "/" + strings.ReplaceAll(x.name+e.name, " ", "-")
					control := vs.hold(t, path+"-control", nil)
					cc, _ := s.dial(t)
					send(t, cc, exchanges[0].sent, path+"-control")
					receive(t, control.ready, "the control request")

					visit := vs.hold(t, path, x.do)
					c, below := s.dial(t)
					send(t, c, x.sent, path)
					receive(t, visit.ready, "the handler")
					if x.name == "response begun" {
						_, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 200 OK\r\n")))
						must(t, err)
						drain(t, c)
					}
					e.end(t, c, below)
					want := httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: e.kind}
					visit.gone(t, want)
					control.untouched(t)
				})
			}
		}
	})
}

// drain reads the rest of a header, so that a close is not a reset.
func drain(t testing.TB, c net.Conn) {
	t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), "\r\n\r\n") {
		b := make([]byte, 1)
		_, err := io.ReadFull(c, b)
		must(t, err)
		got = append(got, b...)
	}
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
			for _, when := range []string{"after END_STREAM", "before END_STREAM", "body unread", "behind HEADERS", "response begun"} {
				t.Run(fmt.Sprintf("%s/%#x", when, uint32(code)), func(t *testing.T) {
					path := fmt.Sprintf("/%d-%s", i, strings.ReplaceAll(when, " ", "-"))
					control := vs.hold(t, path+"-control", nil)
					c.get(path + "-control")
					receive(t, control.ready, "the control request")

					var do func(http.ResponseWriter, *http.Request) error
					if when == "response begun" {
						do = begin
					}
					visit := vs.hold(t, path, do)
					id := c.headers("POST", path, when == "after END_STREAM")
					if when == "body unread" {
						must(t, c.fr.WriteData(id, false, []byte("unread")))
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
			must(t, c.below.SetLinger(0))
			must(t, c.below.Close())
		}},
		{"goaway and close", loose, func(t testing.TB, c *h2client) {
			must(t, c.fr.WriteGoAway(0, http2.ErrCodeNo, nil))
			c.flush()
			must(t, c.below.Close())
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
