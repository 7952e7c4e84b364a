package httpwire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// A timedWriter does what a test says, and counts the write deadlines that it is given.
type timedWriter struct {
	*httptest.ResponseRecorder
	write     func() error
	deadlines int
	broken    time.Time // when it was given the first
}

func (w *timedWriter) Write(b []byte) (int, error) { return len(b), w.write() }

func (w *timedWriter) SetWriteDeadline(time.Time) error {
	if w.deadlines++; w.deadlines == 1 {
		w.broken = time.Now()
	}
	return nil
}

// timed runs h with a writer that does write, in a bubble with a clock of its own.
func timed(t *testing.T, write func(c *fakeConn) error, h func(w http.ResponseWriter, r *http.Request)) (w *timedWriter) {
	synctest.Test(t, func(t *testing.T) {
		var c fakeConn
		w = &timedWriter{ResponseRecorder: httptest.NewRecorder(), write: func() error { return write(&c) }}
		c.serve(context.Background(), "GET", w, h)
		n := w.deadlines
		time.Sleep(time.Hour)
		if w.deadlines != n {
			t.Errorf("the ResponseWriter was given %d deadlines after the handler", w.deadlines-n)
		}
	})
	return w
}

var inASecond = &httpwire.StreamOptions{SendTimeout: time.Second}

// H5: an Emit that took too long says so, though its write has gone through.
func TestStream_lateAndWritten(t *testing.T) {
	w := timed(t, func(*fakeConn) error { time.Sleep(2 * time.Second); return nil }, func(w http.ResponseWriter, r *http.Request) {
		s, err := httpwire.NewChunks(w, r, inASecond)
		must(t, err)
		if err := s.Emit([]byte("x")); err != httpwire.ErrSendTimeout {
			t.Errorf("Emit: %v, want ErrSendTimeout", err)
		}
		if c := context.Cause(r.Context()); c != httpwire.ErrSendTimeout {
			t.Errorf("cause: %v, want ErrSendTimeout", c)
		}
	})
	if w.deadlines == 0 {
		t.Error("the write was not interrupted")
	}
}

// H5: each Emit has the whole time, whatever the timer of an earlier one is at.
func TestStream_lateInItsTurn(t *testing.T) {
	for _, pause := range []time.Duration{0, 500 * time.Millisecond, 5 * time.Second} {
		var slow time.Time // the second write, which is
		w := timed(t, func(*fakeConn) error {
			if !slow.IsZero() {
				time.Sleep(3 * time.Second)
			}
			return nil
		}, func(w http.ResponseWriter, r *http.Request) {
			s, err := httpwire.NewChunks(w, r, inASecond)
			must(t, err)
			must(t, s.Emit([]byte("x")))
			time.Sleep(pause)
			slow = time.Now()
			if err := s.Emit([]byte("x")); err != httpwire.ErrSendTimeout {
				t.Errorf("after a pause of %v: Emit: %v, want ErrSendTimeout", pause, err)
			}
		})
		if d := w.broken.Sub(slow); d != time.Second {
			t.Errorf("after a pause of %v: interrupted after %v, want a second", pause, d)
		}
	}
}

// H5: the client that leaves while an Emit takes too long has left.
func TestStream_lateAndLeft(t *testing.T) {
	timed(t, func(c *fakeConn) error {
		time.Sleep(2 * time.Second)
		c.leave()
		return errBroken
	}, func(w http.ResponseWriter, r *http.Request) {
		s, err := httpwire.NewChunks(w, r, inASecond)
		must(t, err)
		if err := s.Emit([]byte("x")); !errors.Is(err, httpwire.ErrDisconnected) {
			t.Errorf("Emit: %v, want a Disconnect", err)
		}
	})
}

// H5: of two streams of a request, the one that fails because the other has says so.
func TestStream_failsWithAnother(t *testing.T) {
	late := true
	timed(t, func(*fakeConn) error {
		if late {
			time.Sleep(2 * time.Second)
		}
		return errBroken
	}, func(w http.ResponseWriter, r *http.Request) {
		s, err := httpwire.NewChunks(w, r, inASecond)
		must(t, err)
		other, err := httpwire.NewChunks(w, r, nil)
		must(t, err)
		if err := s.Emit([]byte("x")); err != httpwire.ErrSendTimeout {
			t.Errorf("Emit: %v, want ErrSendTimeout", err)
		}
		late = false
		if err := other.Emit([]byte("x")); !errors.Is(err, httpwire.ErrSendTimeout) || !errors.Is(err, errBroken) {
			t.Errorf("the other's Emit: %v, want ErrSendTimeout and what the write said", err)
		}
	})
}

// A stream does not keep the memory of a large event.
func TestStream_largeEvent(t *testing.T) {
	s, err := httpwire.NewEventStream(discard{}, httptest.NewRequest("GET", "/", nil), nil)
	must(t, err)
	must(t, s.Emit(httpwire.Event{Data: string(make([]byte, 1<<20))}))
	if n := s.Kept(); n > 64<<10 {
		t.Errorf("%d bytes are kept", n)
	}
	must(t, s.Emit(httpwire.Event{Data: "token"}))
	if s.Kept() == 0 {
		t.Error("the buffer is not kept")
	}
}
