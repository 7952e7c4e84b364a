package httpwire_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// A quiz serves clients that half-close and clients that close.
type quiz struct {
	half, closed atomic.Int64 // told
	wrong        atomic.Int64
	returned     atomic.Int64 // handlers of closed clients
}

func (q *quiz) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	told := make(chan *httpwire.Disconnect, 2)
	_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { told <- d })
	if r.URL.Path == "/closed" {
		if d := <-told; d.Kind != httpwire.Closed || r.Context().Err() == nil {
			q.wrong.Add(1)
		}
		q.closed.Add(1)
		q.returned.Add(1)
		return
	}
	n := rand.IntN(6)
	for range rand.IntN(50) {
		runtime.Gosched()
	}
	for range n % 3 { // longer than net/http's buffer: several writes
		w.Header().Set("Link", "</"+strings.Repeat("x", 10_000)+">")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
	}
	if n > 0 {
		w.Header().Set("X-N", fmt.Sprint(n))
		for range n {
			_, _ = io.WriteString(w, "answer")
			if n%2 == 0 {
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	if r.Context().Err() != nil {
		q.half.Add(1)
	}
	select {
	case <-told:
		q.half.Add(1)
	default:
	}
}

// HalfCloseProbe: of clients that end their sending at any moment, those that are
// there are never taken for gone, and get at most one interim response before each
// final one and none anywhere else; those that have closed are always told.
func TestStress_probe(t *testing.T) {
	rounds := int64(share(*requests, 4))
	eachHalf(t, only(httpwire.HalfCloseProbe), func(t *testing.T, v variant) {
		q := new(quiz)
		s := v.start(t, q)
		var next, closed, asked atomic.Int64
		var wg sync.WaitGroup
		for range 4 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for n := next.Add(1); n <= rounds && !t.Failed(); n = next.Add(1) {
					if n%3 == 0 {
						leaveAnytime(t, s)
						closed.Add(1)
					} else {
						asked.Add(int64(halfCloseAnytime(t, s)))
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		working(t, done, next.Load, "the clients")
		waitFor(t, "all handlers of closed clients to be told", func() bool { return q.returned.Load() == closed.Load() })
		if q.half.Load() != 0 || q.wrong.Load() != 0 {
			t.Errorf("of %d: %d false, %d of a wrong kind", rounds, q.half.Load(), q.wrong.Load())
		}
		t.Logf("%d half-closed, asked %d times; %d closed", rounds-closed.Load(), asked.Load(), closed.Load())
	})
}

func pause() {
	for range rand.IntN(50) {
		runtime.Gosched()
	}
}

func leaveAnytime(t *testing.T, s *server) {
	c, _ := s.dial(t)
	send(t, c, getHalf, "/closed")
	pause()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// halfCloseAnytime pipelines up to three requests and returns how often it was asked.
func halfCloseAnytime(t *testing.T, s *server) (asked int) {
	c, below := s.dial(t)
	defer func() { _ = c.Close() }()
	n := 1 + rand.IntN(3)
	if _, err := io.WriteString(c, strings.Repeat(fmt.Sprintf(getHalf, "/half"), n)); err != nil {
		t.Error(err)
	}
	pause()
	if s.tls && rand.IntN(2) == 0 {
		_ = c.(*tls.Conn).CloseWrite()
	} else {
		_ = below.CloseWrite()
	}
	h := &halfClient{c: c, below: below, r: bufio.NewReader(c)}
	for i := range n {
		before := h.asked
		for {
			res, body, err := h.next()
			if err != nil {
				t.Errorf("answer %d of %d: %v", i, n, err)
				return h.asked
			}
			if res.StatusCode < 200 {
				continue
			}
			pieces := 0
			_, _ = fmt.Sscan(res.Header.Get("X-N"), &pieces)
			if res.StatusCode != 200 || body != strings.Repeat("answer", pieces) {
				t.Errorf("answer %d of %d: %s, %q, want %d pieces", i, n, res.Status, body, pieces)
			}
			break
		}
		if h.asked > before+1 {
			t.Errorf("asked %d times before one answer", h.asked-before)
		}
	}
	h.over(t)
	return h.asked
}

// HalfCloseProbe: nothing is written on a connection that the handler has taken over.
func TestHalfClose_hijacked(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseProbe), func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		var visit *visit
		visit = vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				close(visit.ready)
				return
			}
			defer func() { _ = c.Close() }()
			close(visit.ready)
			if _, err := rw.ReadByte(); err != io.EOF {
				t.Errorf("ReadByte: %v, want EOF", err)
			}
			<-visit.release
			_, _ = io.WriteString(c, "mine")
		})
		c := s.half(t, getHalf, "/")
		receive(t, visit.ready, "the handler")
		must(t, c.below.CloseWrite())
		waitFor(t, "the FIN", func() bool { return httpwire.InputEnded(visit.ctx) })
		close(visit.release)
		if got, err := io.ReadAll(c.r); string(got) != "mine" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		visit.end(t, 0)
	})
}

// HalfCloseProbe: a handler around the middleware may have begun the response, or may
// write past it: then nobody is asked.
func TestHalfClose_outerWriter(t *testing.T) {
	arounds := map[string]func(http.Handler) http.Handler{
		"begun": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				h.ServeHTTP(w, r)
			})
		},
		"writer of its own": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&struct{ http.ResponseWriter }{w}, r) })
		},
	}
	eachHalf(t, only(httpwire.HalfCloseProbe), func(t *testing.T, v variant) {
		for name, around := range arounds {
			t.Run(name, func(t *testing.T) {
				var vs visits
				s := v.configure(t, &vs)
				s.Handler = vs.outer(around(s.Handler))
				s.listen(t)
				visit := vs.expect("/", nil)
				visit.do = func(w http.ResponseWriter, r *http.Request) {
					close(visit.ready)
					<-visit.release
					_, _ = io.WriteString(w, "whole")
				}
				c := s.half(t, getHalf, "/")
				receive(t, visit.ready, "the handler")
				must(t, c.below.CloseWrite())
				waitFor(t, "the FIN", func() bool { return httpwire.InputEnded(visit.ctx) })
				close(visit.release)
				c.final(t, "whole")
				c.over(t)
				if c.asked != 0 {
					t.Error("asked")
				}
			})
		}
	})
}

// HalfCloseProbe, TLS: a client whose close_notify and FIN come apart has taken the
// question after the first; it is asked again after the second.
func TestHalfClose_askedAgain(t *testing.T) {
	eachHalf(t, only(httpwire.HalfCloseProbe), func(t *testing.T, v variant) {
		if !v.tls {
			t.Skip("is about TLS")
		}
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", nil)
		c := s.half(t, getHalf, "/")
		receive(t, visit.ready, "the handler")
		must(t, c.c.(*tls.Conn).CloseWrite())
		c.question(t, v)
		visit.spared(t)
		must(t, c.below.Close()) // nothing is unread: a FIN
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed, Err: errConnReset})
	})
}

// Half-close on a Unix socket: its close shuts both ways, and is told from the end of
// the sending alone.
func TestHalfClose_unixSocket(t *testing.T) {
	for _, p := range spare {
		v := variants[0]
		v.opts = &httpwire.Options{HalfClose: p}
		var vs visits
		s := v.configure(t, &vs)
		s.Handler = vs.outer(s.Handler)
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Skip("no Unix sockets:", err)
		}
		s.serve(t, httpwire.Listener(l))
		visit := vs.hold(t, "/", nil)
		c, err := net.Dial("unix", l.Addr().String())
		must(t, err)
		send(t, c, getHalf, "/")
		receive(t, visit.ready, "the handler")
		must(t, c.(*net.UnixConn).CloseWrite())
		waitFor(t, "the context to ignore its parent", func() bool { return httpwire.Outlives(visit.ctx) })
		visit.spared(t)
		must(t, c.Close())
		d := receive(t, visit.fired, "OnDisconnect's callback")
		visit.fired <- d
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed, Err: d.Err}) // there are no resets: of whoever came first
	}
}
