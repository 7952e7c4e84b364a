package httpwire_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/streamtest"
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
	timeout := func(s *http.Server) { s.WriteTimeout = 100 * time.Millisecond }
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
			each(t, 0, func(t *testing.T, v variant) {
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

// A stream is usable in a test without a server, and on a server without the watch
// it is an error.
func TestStream_unwatched(t *testing.T) {
	rec := httptest.NewRecorder()
	opts := &httpwire.StreamOptions{Heartbeat: time.Nanosecond, SendTimeout: time.Nanosecond}
	s, err := httpwire.NewNDJSON[int](rec, httptest.NewRequest("GET", "/", nil), opts)
	must(t, err)
	must(t, s.Emit(1))
	must(t, s.Emit(2))
	if got := rec.Body.String(); got != "1\n2\n" || !rec.Flushed || s.Done() != nil {
		t.Errorf("body %q, flushed %v", got, rec.Flushed)
	}
	errs := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := httpwire.NewChunks(w, r, nil)
		errs <- err
	}))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	must(t, err)
	_ = resp.Body.Close()
	if err := receive(t, errs, "the handler"); err != httpwire.ErrNotConfigured {
		t.Errorf("error %v, want ErrNotConfigured", err)
	}
}

// Options that make no sense are an error.
func TestStream_options(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, o := range []httpwire.StreamOptions{{Heartbeat: -1}, {SendTimeout: -1}} {
		if _, err := httpwire.NewEventStream(httptest.NewRecorder(), r, &o); err == nil {
			t.Errorf("no error for %+v", o)
		}
	}
	if _, err := httpwire.NewChunks(httptest.NewRecorder(), r, &httpwire.StreamOptions{Heartbeat: 1}); err == nil {
		t.Error("no error for a heartbeat between bytes")
	}
}

// A value that can't be encoded is an error of its own; a panic of its methods
// passes, and the stream goes on.
func TestNDJSON_refused(t *testing.T) {
	rec := httptest.NewRecorder()
	s, err := httpwire.NewNDJSON[any](rec, httptest.NewRequest("GET", "/", nil), nil)
	must(t, err)
	if s.Emit(func() {}) == nil {
		t.Error("a function was encoded")
	}
	func() {
		defer func() {
			if v := recover(); v == nil {
				t.Error("no panic")
			}
		}()
		_ = s.Emit(panicky{})
	}()
	must(t, s.Emit(map[string]any{"a": "b\nc"}))
	if got := rec.Body.String(); got != `{"a":"b\nc"}`+"\n" {
		t.Errorf("body %q", got)
	}
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("mine") }

// H5: an Emit after the handler fails, and does not touch the response.
func TestStream_outlived(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		streams := make(chan *httpwire.Stream[[]byte], 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(w, r, nil)
			if err != nil {
				t.Error(err)
			}
			streams <- st
		}))
		s.request(t, "GET", "/")
		st := receive(t, streams, "the handler")
		receive(t, st.Done(), "Done")
		if err := st.Emit([]byte("late")); err == nil || !strings.Contains(err.Error(), "after the handler has returned") {
			t.Errorf("Emit: %v", err)
		}
	})
}

// C7: the panic of a heartbeat, of some middleware's writer, reaches the handler's
// goroutine.
func TestStream_heartbeatPanics(t *testing.T) {
	v := variants[0]
	panics := make(chan any, 1)
	s := v.configure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called := make(chan struct{})
		_, err := httpwire.NewEventStream(&brittle{w, called}, r, &httpwire.StreamOptions{Heartbeat: time.Millisecond})
		if err != nil {
			t.Error(err)
		}
		receive(t, called, "the heartbeat")
	}))
	inner := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { panics <- recover() }()
		inner.ServeHTTP(w, r)
	})
	s.listen(t)
	s.request(t, "GET", "/")
	p, ok := receive(t, panics, "the handler").(*cancel.PanicError)
	if !ok || p.Value != "brittle" {
		t.Errorf("recovered %v, want the heartbeat's panic", p)
	}
}

type brittle struct {
	http.ResponseWriter
	called chan struct{}
}

func (b *brittle) Unwrap() http.ResponseWriter { return b.ResponseWriter }
func (b *brittle) Write([]byte) (int, error) {
	close(b.called)
	panic("brittle")
}

// H5: the source of a Pump stops when the client leaves, before Pump returns, and
// the error says both.
func TestStream_pump(t *testing.T) {
	own := errors.New("source")
	each(t, 0, func(t *testing.T, v variant) {
		for _, says := range []error{nil, own} {
			var stopped atomic.Bool
			first := make(chan struct{})
			errs := make(chan error, 1)
			s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				st, err := httpwire.NewEventStream(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				err = st.Pump(func(yield func(httpwire.Event, error) bool) {
					defer stopped.Store(true)
					yield(httpwire.Event{Data: "first"}, nil)
					close(first)
					<-r.Context().Done()
					if says != nil {
						yield(httpwire.Event{}, says)
					}
				})
				if !stopped.Load() {
					t.Error("Pump returned before its source")
				}
				errs <- err
			}))
			leave := s.request(t, "GET", "/")
			receive(t, first, "the source")
			leave()
			err := receive(t, errs, "Pump")
			if _, ok := errors.AsType[*httpwire.Disconnect](err); !ok || says != nil && !errors.Is(err, says) {
				t.Errorf("Pump: %v, want a Disconnect and %v", err, says)
			}
		}
	})
}

// The error of a source whose client is there is Pump's; so is none.
func TestStream_pumpEnds(t *testing.T) {
	own := errors.New("source")
	for _, says := range []error{nil, own} {
		rec := httptest.NewRecorder()
		s, err := httpwire.NewNDJSON[int](rec, httptest.NewRequest("GET", "/", nil), nil)
		must(t, err)
		err = s.Pump(func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(2, nil)
			if says != nil {
				yield(0, says)
			}
		})
		if err != says || rec.Body.String() != "1\n2\n" {
			t.Errorf("Pump: %v, %q", err, rec.Body)
		}
	}
}

// H5: a channel's sender, which watches the context, has stopped when PumpChan returns.
func TestStream_pumpChan(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var stopped atomic.Bool
		first := make(chan struct{})
		errs := make(chan error, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewNDJSON[int](w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c := make(chan int)
			go func() {
				defer close(c)
				defer stopped.Store(true)
				c <- 1
				close(first)
				<-st.Done()
				c <- 2 // it has not looked; nobody hangs
			}()
			err = st.PumpChan(c)
			if !stopped.Load() {
				t.Error("PumpChan returned before its source")
			}
			errs <- err
		}))
		leave := s.request(t, "GET", "/")
		receive(t, first, "the source")
		leave()
		if err := receive(t, errs, "PumpChan"); !errors.Is(err, httpwire.ErrDisconnected) {
			t.Errorf("PumpChan: %v, want a Disconnect", err)
		}
	})
}

// The bare middleware, where the server's context is all there is, tells the same.
func TestStream_withoutConfigure(t *testing.T) {
	var sent atomic.Int64
	errs, causes := make(chan error, 1), make(chan error, 1)
	for _, timeout := range []time.Duration{0, 20 * time.Millisecond} {
		s := httptest.NewUnstartedServer(httpwire.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(w, r, &httpwire.StreamOptions{SendTimeout: timeout})
			if err == nil {
				err = floodStream(st, &sent)
			}
			errs <- err
			causes <- context.Cause(r.Context())
		})))
		s.EnableHTTP2 = true
		s.StartTLS()
		ctx, leave := context.WithCancel(context.Background())
		r, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		must(t, err)
		rsp, err := s.Client().Do(r)
		must(t, err)
		want := error(httpwire.ErrSendTimeout)
		if timeout == 0 {
			want = httpwire.ErrDisconnected
			leave()
		}
		if err := receive(t, errs, "Emit"); !errors.Is(err, want) {
			t.Errorf("Emit: %v, want %v", err, want)
		}
		if c := receive(t, causes, "the handler"); !errors.Is(c, want) || timeout > 0 && !errors.Is(c, os.ErrDeadlineExceeded) {
			t.Errorf("cause: %v, want %v", c, want)
		}
		leave()
		_ = rsp.Body.Close()
		s.Close()
	}
}
