package httpwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// H3: on HTTP/1.1, whatever a client sends, while it is there nothing is told, and
// it gets its answers.
func TestOnDisconnect_http1Stays(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for _, x := range exchanges(t, "stays") {
			t.Run(x.name, func(t *testing.T) {
				visit := vs.hold(t, pathOf(t), x.do)
				c, _ := s.dial(t)
				h := x.send(t, c, pathOf(t))
				receive(t, visit.ready, "the handler")
				vs.control(t, s).untouched(t) // a whole request has come and gone since
				visit.untouched(t)
				for _, line := range x.read {
					h.read1(t, line, true)
				}
			})
		}
	})
}

// A progress counts what a handler has written of a response that nobody reads.
type progress struct {
	wrote atomic.Int64
	done  chan struct{}
}

const progressSize = 16 << 20 // more than the buffers of both ends

func (p *progress) write(w http.ResponseWriter, _ *http.Request) {
	defer close(p.done)
	b := make([]byte, 64<<10)
	for p.wrote.Load() < progressSize {
		n, err := w.Write(b)
		p.wrote.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// H3: a client that does not read has not left: with its TCP window closed.
func TestOnDisconnect_zeroWindow(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		p := &progress{done: make(chan struct{})}
		var visit *visit
		visit = vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			close(visit.ready)
			p.write(w, r)
			<-visit.release
		})
		c, below := s.dial(t)
		must(t, below.SetReadBuffer(128<<10))
		if v.proto == httpwire.HTTP2 {
			openWide(t, v, c)
		} else {
			send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
		}
		receive(t, visit.ready, "the handler")
		for before := int64(-1); before < 64<<10 || before != p.wrote.Load(); { // until it writes no more
			before = p.wrote.Load()
			vs.again(t, s)
		}
		if visit.ctx.Err() != nil || p.wrote.Load() >= progressSize {
			t.Errorf("context: %v, %d bytes written", visit.ctx.Err(), p.wrote.Load())
		}
		must(t, below.SetReadBuffer(4<<20))
		go io.Copy(io.Discard, c) //nolint:errcheck // it ends with the connection
		receive(t, p.done, "all to be written")
		if p.wrote.Load() < progressSize {
			t.Errorf("%d bytes written", p.wrote.Load())
		}
		visit.untouched(t)
	})
}

// again makes a whole request come and go.
func (vs *visits) again(t *testing.T, s *server) {
	t.Run("control", func(t *testing.T) { vs.control(t, s).untouched(t) })
}

// openWide sends a GET on HTTP/2, and gives the answer all the flow control that there is.
func openWide(t testing.TB, v variant, c net.Conn) {
	h := newH2client(t, c)
	h.out.WriteString(http2.ClientPreface)
	must(t, h.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
	must(t, h.fr.WriteWindowUpdate(0, 1<<31-1-65535))
	h.tls = v.tls
	h.get("/")
}

// H3: the same with HTTP/2's own windows closed.
func TestOnDisconnect_http2ZeroWindow(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.Write(make([]byte, 100000))
			return err
		})
		c := s.h2(t)
		id := c.get("/")
		for n := range c.gotData[id] {
			if n == 65535 { // the window
				break
			}
		}
		vs.again(t, s)
		c.ping()
		if visit.ctx.Err() != nil {
			t.Errorf("context: %v", context.Cause(visit.ctx))
		}
		must(t, c.fr.WriteWindowUpdate(0, 1<<20))
		must(t, c.fr.WriteWindowUpdate(id, 1<<20))
		c.flush()
		receive(t, visit.ready, "the write")
		visit.untouched(t)
		receive(t, c.end(id), "the response")
	})
}

// H3: a client's GOAWAY cancels nothing; it gets its answer.
func TestOnDisconnect_http2ClientGoAway(t *testing.T) {
	for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeEnhanceYourCalm} {
		t.Run(code.String(), func(t *testing.T) {
			each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
				var vs visits
				s := vs.serve(t, v)
				visit := vs.hold(t, "/", nil)
				c := s.h2(t)
				id := c.get("/")
				receive(t, visit.ready, "the handler")
				must(t, c.fr.WriteGoAway(0, code, nil))
				c.ping() // the server has read it
				vs.again(t, s)
				visit.untouched(t)
				receive(t, c.end(id), "the response")
			})
		})
	}
}

// H3: GOAWAY on Shutdown: the running request goes on to its end, the client is told
// to open no other, and Shutdown returns.
func TestOnDisconnect_http2Shutdown(t *testing.T) {
	eachAtOnce(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		id := c.get("/")
		receive(t, visit.ready, "the handler")
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		if code := receive(t, c.goAway, "GOAWAY"); code != http2.ErrCodeNo {
			t.Errorf("GOAWAY with %v", code)
		}
		c.ping()
		visit.untouched(t)
		receive(t, c.end(id), "the response")
		if err := receive(t, down, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// Rule 3: a Go client that closes the body after the full Content-Length resets the
// stream, if the handler still runs. It has its answer.
func TestOnDisconnect_bodyClosedAfterLength(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
			return http.NewResponseController(w).Flush()
		})
		tr := v.transport()
		defer tr.CloseIdleConnections()
		res, err := tr.RoundTrip(get(s.url("/")))
		must(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 5))
		must(t, err)
		must(t, res.Body.Close())
		receive(t, visit.ready, "the handler")
		if v.proto == httpwire.HTTP2 {
			receive(t, visit.ctx.Done(), "the stream's reset")
		}
		visit.end(t, 0)
	})
}

// H3: a body that breaks http.MaxBytesReader's limit is refused, and its client is there.
func TestOnDisconnect_maxBytes(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 3))
			var tooLarge *http.MaxBytesError
			if !errors.As(err, &tooLarge) {
				return fmt.Errorf("read: %w", err)
			}
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return http.NewResponseController(w).Flush()
		})
		if v.proto == httpwire.HTTP2 {
			c := s.h2(t)
			must(t, c.fr.WriteData(c.headers("POST", "/", false), false, []byte("too long")))
			c.flush()
		} else {
			c, _ := s.dial(t)
			send(t, c, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\ntoo long", "/")
		}
		receive(t, visit.ready, "the handler")
		vs.again(t, s)
		visit.end(t, 0)
	})
}
