package httpwire_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

// H5: on HTTP/2 a client that opens its windows and stops reading the socket holds
// the stream's reset back as well. Emit ends all the same.
func TestStream_http2FullSocket(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		t.Parallel() // it waits for time to pass
		var sent atomic.Int64
		errs := make(chan error, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(w, r, &httpwire.StreamOptions{SendTimeout: 100 * time.Millisecond})
			if err == nil {
				err = floodStream(st, &sent)
			}
			errs <- err
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

// H5: a stream that is made after the handler has returned is an error, and sends no heartbeat.
func TestStream_madeLate(t *testing.T) {
	var c fakeConn
	rec := &lateWriter{ResponseRecorder: httptest.NewRecorder()}
	var w http.ResponseWriter
	r := c.serve(context.Background(), "GET", rec, func(rw http.ResponseWriter, _ *http.Request) { w = rw })
	for range 20000 {
		if _, err := httpwire.NewEventStream(w, r, &httpwire.StreamOptions{Heartbeat: time.Nanosecond}); err == nil {
			t.Fatal("no error")
		}
	}
	if n := rec.writes.Load(); n != 0 {
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
// then, does not cut the response of the connection's next request off.
func TestStream_leftBehind(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := v.configure(t, &vs)
		h := vs.outer(s.Handler)
		left := make(chan struct{})
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/late" {
				h.ServeHTTP(w, r)
				return
			}
			r = r.WithContext(context.WithoutCancel(r.Context()))
			go h.ServeHTTP(brokenWriter{httptest.NewRecorder()}, r) // hides the server's, as http.TimeoutHandler does
			receive(t, left, "the stream")
			_, _ = io.WriteString(w, "late")
		})
		s.listen(t)
		emit := make(chan struct{})
		late := vs.expect("/late", func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(w, r, nil)
			must(t, err)
			close(left)
			receive(t, emit, "the next request")
			if err := st.Emit([]byte("x")); !errors.Is(err, errBroken) {
				t.Errorf("Emit: %v", err)
			}
		})
		next := vs.expect("/next", func(w http.ResponseWriter, r *http.Request) {
			close(emit)
			receive(t, late.ended, "the handler that was left behind")
			_, _ = io.WriteString(w, "next")
		})
		c, _ := s.dial(t)
		for _, want := range []string{"late", "next"} {
			send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/"+want)
			if got, err := readResponse(c); err != nil || got != want {
				t.Errorf("answer %q, %v, want %q", got, err, want)
			}
		}
		receive(t, next.ended, "the next handler")
		if n := next.count.Load(); n != 0 {
			t.Errorf("callback started %d times", n)
		}
	})
}
