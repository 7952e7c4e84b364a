package httpwire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// eachHalf runs f for every way to serve HTTP/1 under each of the policies.
func eachHalf(t *testing.T, policies []httpwire.HalfClosePolicy, f func(t *testing.T, v variant)) {
	names := []string{"gone", "ignore", "probe"}
	for _, p := range policies {
		t.Run(names[p], func(t *testing.T) {
			each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
				v.opts = &httpwire.Options{HalfClose: p}
				f(t, v)
			})
		})
	}
}

var (
	spare = []httpwire.HalfClosePolicy{httpwire.HalfCloseIgnore, httpwire.HalfCloseProbe}
	only  = func(p httpwire.HalfClosePolicy) []httpwire.HalfClosePolicy { return []httpwire.HalfClosePolicy{p} }
)

// Ways to end the sending, not the connection.
var halves = []struct {
	name string
	tls  bool // above TLS only
	end  func(t testing.TB, c net.Conn, below *net.TCPConn)
}{
	{"FIN", false, func(t testing.TB, _ net.Conn, below *net.TCPConn) { must(t, below.CloseWrite()) }},
	{"close_notify", true, func(t testing.TB, c net.Conn, _ *net.TCPConn) { must(t, c.(*tls.Conn).CloseWrite()) }},
}

func eachEnd(t *testing.T, v variant, f func(t *testing.T, end func(testing.TB, net.Conn, *net.TCPConn))) {
	for _, h := range halves {
		if v.tls || !h.tls {
			t.Run(h.name, func(t *testing.T) { f(t, h.end) })
		}
	}
}

const getHalf = "GET %s HTTP/1.1\r\nHost: h\r\n\r\n"

// spared asserts that nothing has happened to the visit, whichever way it looks.
func (v *visit) spared(t testing.TB) {
	t.Helper()
	for range 3 {
		if err := v.ctx.Err(); err != nil {
			t.Errorf("Err = %v (%v), want nil", err, context.Cause(v.ctx))
		}
	}
	select {
	case <-v.ctx.Done():
		t.Error("the context is done")
	case d := <-v.fired:
		t.Errorf("told %v (by %v)", d, d.Source)
	default:
	}
}

// answer makes a visit that, once released, answers in pieces.
func (vs *visits) answer(t testing.TB, path, body string, do func(http.ResponseWriter, *http.Request)) *visit {
	var v *visit
	v = vs.expect(path, func(w http.ResponseWriter, r *http.Request) {
		if do != nil {
			do(w, r)
		}
		close(v.ready)
		<-v.release
		for p := body; p != ""; {
			n := min(len(p), 100_000)
			if _, err := io.WriteString(w, p[:n]); err != nil {
				t.Errorf("write: %v", err)
			}
			must(t, http.NewResponseController(w).Flush())
			p = p[n:]
		}
	})
	return v
}

var longBody = strings.Repeat("0123456789", 50_000)

// Half-close: a client that has ended its sending is not gone, its request's context
// lives, in every way of looking at it, and its answer arrives, whole.
func TestHalfClose_answerArrives(t *testing.T) {
	requests := map[string]string{
		"get": getHalf, "body unread": "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
	}
	eachHalf(t, spare, func(t *testing.T, v variant) {
		eachEnd(t, v, func(t *testing.T, end func(testing.TB, net.Conn, *net.TCPConn)) {
			for name, req := range requests {
				var vs visits
				s := vs.serve(t, v)
				visit := vs.answer(t, "/", longBody, nil)
				c := s.half(t, req, "/")
				receive(t, visit.ready, "the handler")
				derived, stop := context.WithCancel(visit.ctx)
				defer stop()
				end(t, c.c, c.below)
				if name == "get" { // else net/http does not read, and a close_notify stays unknown
					waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
					c.question(t, v)
				}
				visit.spared(t)
				if derived.Err() != nil {
					t.Error("a derived context is done")
				}
				close(visit.release)
				c.final(t, longBody)
				c.over(t)
				visit.end(t, 0)
				if cause := context.Cause(visit.ctx); cause != context.Canceled {
					t.Errorf("after the return: cause = %v", cause)
				}
				if c.asked > 1 {
					t.Errorf("asked %d times", c.asked)
				}
			}
		})
	})
}

// Half-close, default: it is a disconnect, and nobody is asked.
func TestHalfClose_gone(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseGone), func(t *testing.T, v variant) {
		eachEnd(t, v, func(t *testing.T, end func(testing.TB, net.Conn, *net.TCPConn)) {
			var vs visits
			s := vs.serve(t, v)
			visit := vs.answer(t, "/", longBody, nil)
			c := s.half(t, getHalf, "/")
			receive(t, visit.ready, "the handler")
			end(t, c.c, c.below)
			d := receive(t, visit.fired, "OnDisconnect's callback")
			visit.fired <- d
			close(visit.release)
			c.final(t, longBody)
			visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
			if c.asked != 0 {
				t.Error("asked")
			}
		})
	})
}

// writeUntilTold writes until the client is known to have left.
func writeUntilTold(t testing.TB, w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, "anybody there?")
		_ = http.NewResponseController(w).Flush()
	}
	if !errors.Is(context.Cause(r.Context()), httpwire.ErrDisconnected) {
		t.Errorf("cause = %v, want a Disconnect", context.Cause(r.Context()))
	}
}

// HalfCloseIgnore: a client that has closed, not half-closed, is found by the
// handler's writing, and told once.
func TestHalfClose_writeFindsClosed(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseIgnore), func(t *testing.T, v variant) {
		for _, req := range []string{getHalf, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"} {
			findsClosed(t, v, req, nil)
		}
	})
}

// HalfCloseProbe is HalfCloseIgnore for a client of HTTP/1.0, once the response has
// begun, and where somebody else may write.
func TestHalfClose_notAsked(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseProbe), func(t *testing.T, v variant) {
		findsClosed(t, v, "GET %s HTTP/1.0\r\n\r\n", nil)
		findsClosed(t, v, getHalf, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
		findsClosed(t, v, getHalf, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") })
		findsClosed(t, v, getHalf, func(w http.ResponseWriter, _ *http.Request) {
			_ = w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
		})
	})
}

func findsClosed(t *testing.T, v variant, req string, do func(http.ResponseWriter, *http.Request)) {
	t.Helper()
	var vs visits
	s := vs.serve(t, v)
	write := make(chan struct{})
	var visit *visit
	visit = vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
		if do != nil {
			do(w, r)
		}
		close(visit.ready)
		<-write
		writeUntilTold(t, w, r)
	})
	c := s.half(t, req, "/")
	receive(t, visit.ready, "the handler")
	must(t, c.c.Close())
	waitFor(t, "the FIN", func() bool { return visit.ctx.Err() != nil || httpwire.InputEnded(visit.ctx) })
	visit.spared(t)
	close(write)
	d := receive(t, visit.fired, "OnDisconnect's callback")
	if d.Kind != httpwire.Reset && d.Kind != httpwire.WriteFailed {
		t.Errorf("got %v, want a reset or a failed write", d)
	}
	visit.fired <- d
	visit.gone(t, *d)
}

// HalfCloseProbe: a client that has closed is found without a write of the handler's,
// and what it did was to close.
func TestHalfClose_probeFindsClosed(t *testing.T) {
	requests := []string{getHalf,
		"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
		"POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"}
	eachHalf(t, only(httpwire.HalfCloseProbe), func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for i, req := range requests {
			path := fmt.Sprint("/", i)
			visit := vs.hold(t, path, func(w http.ResponseWriter, _ *http.Request) error {
				if i == 0 {
					w.WriteHeader(http.StatusEarlyHints) // is not the final response
				}
				return http.NewResponseController(w).EnableFullDuplex() // writes nothing
			})
			c := s.half(t, req, path)
			receive(t, visit.ready, "the handler")
			if i == 0 {
				_, _, err := c.next()
				must(t, err)
			}
			must(t, c.c.Close())
			d := visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed, Err: errConnReset})
			if d.Err == nil || d.Err == io.EOF {
				t.Errorf("Err = %v, want what the probe met with", d.Err)
			}
		}
	})
}

// Half-close: a reset behind it is a disconnect. The monitor's event comes although
// it is edge-triggered, and had come before for the FIN.
func TestHalfClose_resetAfter(t *testing.T) {
	eachHalf(t, spare, func(t *testing.T, v variant) {
		eachEnd(t, v, func(t *testing.T, end func(testing.TB, net.Conn, *net.TCPConn)) {
			var vs visits
			s := vs.serve(t, v)
			visit := vs.hold(t, "/", nil)
			c := s.half(t, getHalf, "/")
			receive(t, visit.ready, "the handler")
			end(t, c.c, c.below)
			waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
			c.question(t, v)
			visit.spared(t)
			must(t, c.below.SetLinger(0))
			must(t, c.below.Close())
			kind := httpwire.Reset
			if v.opts.HalfClose == httpwire.HalfCloseProbe {
				kind = httpwire.Closed // its FIN came first, and a reset is the answer
			}
			d := visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: kind, Err: errConnReset})
			if d.Source != httpwire.SourceMonitor {
				t.Errorf("source = %v, want monitor", d.Source)
			}
		})
	})
}
