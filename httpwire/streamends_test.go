package httpwire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/streamtest"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// large does not fit into what a client that does not read takes.
var large = []byte(strings.Repeat("0123456789abcdef", 4<<10))

// floodStream emits until that fails.
func floodStream(s *httpwire.Stream[[]byte], sent *atomic.Int64) error {
	for {
		if err := s.Emit(large); err != nil {
			return err
		}
		sent.Add(1)
	}
}

// H5: an Emit that is blocked on a full socket is woken by a FIN, which alone does
// not end a write; and what the client gets, which has only half-closed, does not
// look complete.
func TestStream_halfClosedWhileBlocked(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		if !httpwire.HasMonitor() {
			t.Skip("no monitor: nobody sees the FIN")
		}
		var sent atomic.Int64
		errs := make(chan error, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(w, r, nil)
			if err == nil {
				err = floodStream(st, &sent)
			}
			errs <- err
		}))
		c, below := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
		streamtest.Blocked(t, &sent)
		must(t, below.CloseWrite())
		err := receive(t, errs, "Emit")
		if d, ok := errors.AsType[*httpwire.Disconnect](err); !ok || d.Kind != httpwire.Closed {
			t.Errorf("Emit: %v, want a Disconnect of kind closed", err)
		}
		rsp, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		if n, err := io.Copy(io.Discard, rsp.Body); err == nil {
			t.Errorf("%d bytes of a stream that was cut off look complete", n)
		}
	})
}

// H5: the same for a handler that has seen Done, and returns after another Emit or
// without one.
func TestStream_halfClosedWhilePaused(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		for _, again := range []bool{false, true} {
			s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				st, err := httpwire.NewChunks(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if err := st.Emit([]byte("token")); err != nil {
					t.Error(err)
				}
				receive(t, st.Done(), "Done")
				if again && !errors.Is(st.Emit([]byte("late")), httpwire.ErrDisconnected) {
					t.Error("no Disconnect")
				}
			}))
			c, below := s.dial(t)
			send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
			rsp, err := http.ReadResponse(bufio.NewReader(c), nil)
			must(t, err)
			_, err = io.ReadFull(rsp.Body, make([]byte, 5))
			must(t, err)
			must(t, below.CloseWrite())
			if b, err := io.ReadAll(rsp.Body); err == nil {
				t.Errorf("Emit again %v: the stream, with %q more, looks complete", again, b)
			}
		}
	})
}

// H3: what this end does is no disconnect: the server's write deadline, the
// handler's, Server.Close. The deadlines of the server are not touched by ours.
func TestStream_ownEnds(t *testing.T) {
	timeout := func(s *http.Server) { s.WriteTimeout = shortLimit }
	for _, c := range []struct {
		name string
		set  func(*http.Server)
		do   func(s *server, w http.ResponseWriter) error
		opts *httpwire.StreamOptions
		want error
	}{
		{"WriteTimeout", timeout, nil, nil, httpwire.ErrServerDeadline},
		{"WriteTimeout, and a longer SendTimeout", timeout, nil, &httpwire.StreamOptions{SendTimeout: time.Minute}, httpwire.ErrServerDeadline},
		{"SetWriteDeadline", nil, func(_ *server, w http.ResponseWriter) error {
			return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		}, nil, httpwire.ErrServerDeadline},
		{"Close", nil, func(s *server, _ http.ResponseWriter) error { return s.Close() }, nil, httpwire.ErrServerClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachAtOnce(t, 0, func(t *testing.T, v variant) {
				if v.bare && v.proto == httpwire.HTTP1 && c.want == httpwire.ErrServerClosed {
					return // what closes a connection that is not wrapped is not seen
				}
				ownEnd(t, v, c.set, c.do, c.opts, c.want)
			})
		})
	}
}

func ownEnd(t *testing.T, v variant, set func(*http.Server), do func(*server, http.ResponseWriter) error, opts *httpwire.StreamOptions, want error) {
	var s *server
	var sent atomic.Int64
	errs := make(chan error, 1)
	fired := make(chan *httpwire.Disconnect, 1)
	var sets []func(*http.Server)
	if set != nil {
		sets = append(sets, set)
	}
	s = v.configure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { fired <- d })
		st, err := httpwire.NewChunks(w, r, opts)
		if err == nil && do != nil {
			err = do(s, w)
		}
		if err == nil {
			err = floodStream(st, &sent)
		}
		errs <- err
	}), sets...)
	s.listen(t)
	if v.proto == httpwire.HTTP2 {
		s.h2(t).get("/") // nobody opens its window
	} else {
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
	}
	err := receive(t, errs, "Emit")
	if !errors.Is(err, want) || errors.Is(err, httpwire.ErrDisconnected) {
		t.Errorf("Emit: %v, want %v", err, want)
	}
	select {
	case d := <-fired:
		t.Errorf("told as %v", d)
	default:
	}
}

// floodLate sends until a send takes too long, and returns its error.
func floodLate(w http.ResponseWriter, r *http.Request) error {
	st, err := httpwire.NewChunks(w, r, &httpwire.StreamOptions{SendTimeout: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	return floodStream(st, new(atomic.Int64))
}

// H5: a send ends in time in every request of a connection, not just in its first.
func TestStream_lateInSecondRequest(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		t.Parallel() // it waits for time to pass
		errs := make(chan error, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/first" {
				_, _ = io.WriteString(w, "first")
				return
			}
			errs <- floodLate(w, r)
		}))
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/first")
		if got, err := readResponse(c); err != nil || got != "first" {
			t.Fatalf("answer %q, %v", got, err)
		}
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/second") // and nothing is read any more
		if err := receive(t, errs, "Emit"); err != httpwire.ErrSendTimeout {
			t.Errorf("Emit: %v, want ErrSendTimeout", err)
		}
	})
}

// H5: on HTTP/2 a client that opens its windows and stops reading the socket holds
// the stream's reset back as well. Emit ends all the same.
func TestStream_http2FullSocket(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		t.Parallel() // it waits for time to pass
		errs := make(chan error, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			errs <- floodLate(w, r)
		}))
		c := s.h2(t)
		must(t, c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}))
		must(t, c.fr.WriteWindowUpdate(0, 1<<31-1-65535))
		c.deaf.Store(true) // from the next frame on
		c.get("/")
		if err := receive(t, errs, "Emit"); err != httpwire.ErrSendTimeout {
			t.Errorf("Emit: %v, want ErrSendTimeout", err)
		}
	})
}

// H3: a write that fails because this end has closed the connection says so, also before
// the server cancels the context: HTTP/2's wake writers first.
func TestStream_closedBeforeContext(t *testing.T) {
	c := fakeConn{reason: wire.Event{Kind: wire.ServerClosed}}
	c.serve(context.Background(), "GET", brokenWriter{httptest.NewRecorder()}, func(w http.ResponseWriter, r *http.Request) {
		s, err := httpwire.NewChunks(w, r, nil)
		must(t, err)
		if err := s.Emit([]byte("x")); !errors.Is(err, httpwire.ErrServerClosed) || !errors.Is(err, errBroken) {
			t.Errorf("Emit: %v, want ErrServerClosed and what the write said", err)
		}
		if c := context.Cause(r.Context()); !errors.Is(c, httpwire.ErrServerClosed) {
			t.Errorf("cause = %v, want ErrServerClosed", c)
		}
	})
}

var errBroken = errors.New("client disconnected") // as x/net says it

type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// H5: a stream that is made after the handler has returned is an error, and sends no heartbeat. Many
// are made at once, as each has to wait then between its beginning and the refusal.
func TestStream_madeLate(t *testing.T) {
	var c fakeConn
	r := c.serve(context.Background(), "GET", httptest.NewRecorder(), func(http.ResponseWriter, *http.Request) {})
	var makers sync.WaitGroup
	var sent atomic.Int32
	for range 8 {
		makers.Go(func() {
			rec := &lateWriter{ResponseRecorder: httptest.NewRecorder()}
			for range 5000 {
				if _, err := httpwire.NewEventStream(rec, r, &httpwire.StreamOptions{Heartbeat: time.Nanosecond}); err == nil {
					t.Error("no error")
					return
				}
			}
			sent.Add(rec.writes.Load())
		})
	}
	makers.Wait()
	if n := sent.Load(); n != 0 {
		t.Errorf("%d heartbeats after the handler", n)
	}
}

type lateWriter struct {
	*httptest.ResponseRecorder
	writes atomic.Int32
}

func (w *lateWriter) Write(b []byte) (int, error) {
	w.writes.Add(1)
	return len(b), nil
}

func (w *lateWriter) Flush() {}

// N4: a handler that a middleware around ours has left behind, with a stream whose writes fail by
// then, does not cut the response of the connection's next request off, whenever that is; also not
// that of a request that never comes to us.
func TestStream_leftBehind(t *testing.T) {
	for _, when := range []string{"in the next request", "between", "between, made there", "at the very end", "between, attached there",
		"in the next request, attached there", "before the next attaches, attached there", "behind the next's handler, attached there", "between, detached, attached there"} {
		for _, ours := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, next is ours %v", when, ours), func(t *testing.T) {
				each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
					if v.bare && when == "at the very end" {
						t.Skip("needs the wrapped listener")
					}
					leftBehind(t, v, when, ours)
				})
			})
		}
	}
}

func leftBehind(t *testing.T, v variant, when string, ours bool) {
	var vs visits
	emit, left, idle := make(chan struct{}), make(chan struct{}), make(chan struct{}, 2)
	s := v.configure(t, &vs, func(s *http.Server) {
		s.ConnState = func(_ net.Conn, st http.ConnState) {
			if st == http.StateIdle {
				idle <- struct{}{}
			}
		}
	})
	h := vs.outer(s.Handler)
	var late *visit
	when, attaches := strings.CutSuffix(when, ", attached there")
	act := func() { // whatever it does, the handler that was left behind does it now
		close(emit)
		receive(t, late.ended, "the handler that was left behind")
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/late":
			hidden := brokenWriter{httptest.NewRecorder()} // hides the server's, as http.TimeoutHandler does
			if when == "between, detached" {
				r = r.WithContext(context.WithoutCancel(r.Context()))
			}
			if attaches {
				go func() { receive(t, emit, "its moment"); h.ServeHTTP(hidden, r) }()
			} else {
				go h.ServeHTTP(hidden, r.WithContext(context.WithoutCancel(r.Context())))
				receive(t, left, "the stream")
			}
			_, _ = io.WriteString(w, "late")
		case ours:
			if when == "before the next attaches" {
				act()
			}
			h.ServeHTTP(w, r)
		default:
			if when == "in the next request" || when == "before the next attaches" {
				act()
			}
			_, _ = io.WriteString(w, "next")
		}
		if r.URL.Path != "/late" && when == "behind the next's handler" {
			act()
		}
	})
	l := listen(t)
	s.addr = l.Addr().String()
	if !v.bare {
		l = httpwire.Listener(undeadlined{l, sync.OnceFunc(func() {
			if when == "at the very end" {
				act()
			}
		})})
	}
	s.serve(t, l)
	late = vs.expect("/late", func(w http.ResponseWriter, r *http.Request) {
		var st *httpwire.Stream[[]byte]
		var err error
		if when != "between, made there" {
			st, err = httpwire.NewChunks(w, r, nil)
			must(t, err)
		}
		close(left)
		receive(t, emit, "its moment")
		if st == nil {
			st, err = httpwire.NewChunks(w, r, nil)
			must(t, err)
		}
		if err := st.Emit([]byte("x")); !errors.Is(err, errBroken) {
			t.Errorf("Emit: %v", err)
		}
	})
	next := vs.expect("/next", func(w http.ResponseWriter, r *http.Request) {
		if when == "in the next request" {
			act()
		}
		_, _ = io.WriteString(w, "next")
	})
	c, _ := s.dial(t)
	for _, want := range []string{"late", "next"} {
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/"+want)
		if got, err := readResponse(c); err != nil || got != want {
			t.Errorf("answer %q, %v, want %q", got, err, want)
		}
		if want == "late" {
			receive(t, idle, "the end of the first request")
			if strings.HasPrefix(when, "between") {
				act()
			}
		}
	}
	if n := next.count.Load(); n != 0 {
		t.Errorf("callback started %d times", n)
	}
}

// undeadlined calls f when net/http has taken the write deadline of a response from one of its
// connections.
type undeadlined struct {
	net.Listener
	f func()
}

func (l undeadlined) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return undeadlinedConn{c.(*net.TCPConn), l.f}, nil
}

type undeadlinedConn struct {
	*net.TCPConn
	f func()
}

func (c undeadlinedConn) SetWriteDeadline(t time.Time) error {
	err := c.TCPConn.SetWriteDeadline(t)
	if t.IsZero() {
		c.f()
	}
	return err
}
