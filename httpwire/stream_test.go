package httpwire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

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

// H3, H5: a panic of some middleware's writer that the handler recovers from ends the stream: a part
// may have been written. It is no send that never ends: SendTimeout has nothing to say about it.
func TestStream_writerPanics(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(&brittle{w, make(chan struct{})}, r, &httpwire.StreamOptions{SendTimeout: time.Minute})
			must(t, err)
			func() {
				defer func() {
					if p := recover(); p != "brittle" {
						t.Errorf("recovered %v, want the writer's panic", p)
					}
				}()
				_ = st.Emit([]byte("token"))
			}()
			if st.Sending() {
				t.Error("the send is still under way")
			}
			if err := st.Emit([]byte("token")); err == nil || !strings.Contains(err.Error(), "panicked") {
				t.Errorf("Emit: %v, want an error", err)
			}
			receive(t, r.Context().Done(), "the context to be done")
			if c := context.Cause(r.Context()); !strings.Contains(c.Error(), "panicked") || errors.Is(c, httpwire.ErrDisconnected) {
				t.Errorf("cause = %v", c)
			}
		})
		s.request(t, "GET", "/")
		receive(t, visit.ended, "the handler to return")
		if n := visit.count.Load(); n != 0 {
			t.Errorf("callback started %d times", n)
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

// H5: a timer that was armed for one send, and fires during another, does not end
// that before it is due.
func TestStream_timerOfAnotherSend(t *testing.T) {
	errs := make(chan error, 1)
	s := variants[0].start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fires := &firing{ResponseWriter: w}
		st, err := httpwire.NewChunks(fires, r, &httpwire.StreamOptions{SendTimeout: time.Hour})
		if err == nil {
			fires.late = st.Late
			err = errors.Join(st.Emit([]byte("token")), st.Emit([]byte("token")))
		}
		errs <- err
	}))
	s.request(t, "GET", "/")
	must(t, receive(t, errs, "Emit"))
}

type firing struct {
	http.ResponseWriter
	late func()
}

func (f *firing) Unwrap() http.ResponseWriter { return f.ResponseWriter }
func (f *firing) Write(b []byte) (int, error) {
	f.late()
	return f.ResponseWriter.Write(b)
}
