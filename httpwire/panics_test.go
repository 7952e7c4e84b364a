package httpwire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

// A crashing writer panics in the methods that a test names.
type crashing struct {
	*httptest.ResponseRecorder
	write, deadline bool
	takes           time.Duration // a write
}

func (c *crashing) Write(b []byte) (int, error) {
	if c.write {
		panic("crash")
	}
	time.Sleep(c.takes)
	return len(b), nil
}

func (c *crashing) WriteString(s string) (int, error) { return c.Write([]byte(s)) }

func (c *crashing) Flush() {
	if c.write {
		panic("crash")
	}
}

func (c *crashing) SetWriteDeadline(time.Time) error {
	if c.deadline {
		panic("crash")
	}
	return nil
}

// serveCrashing has h serve one request with w, and returns what the middleware panicked with.
func serveCrashing(c *fakeConn, w *crashing, h http.HandlerFunc) (p any) {
	defer func() { p = recover() }()
	w.ResponseRecorder = httptest.NewRecorder()
	c.serve(context.Background(), "GET", w, h)
	return nil
}

func wantCrash(t *testing.T, p any) {
	t.Helper()
	if e, ok := p.(*cancel.PanicError); !ok || e.Value != "crash" {
		t.Errorf("ServeHTTP panicked with %v, want a PanicError of the writer's", p)
	}
}

// C1: a write that would have completed the response, and that a panic of a middleware's writer ended,
// has not: the client that leaves then has.
func TestOnDisconnect_lastWritePanics(t *testing.T) {
	for name, last := range map[string]func(w http.ResponseWriter){
		"Write": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write(make([]byte, 5000))
		},
		"WriteString": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		},
		"Flush": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNoContent)
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c fakeConn
			told := make(chan struct{})
			p := serveCrashing(&c, &crashing{write: true}, func(w http.ResponseWriter, r *http.Request) {
				_, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { close(told) })
				must(t, err)
				func() {
					defer func() {
						if p := recover(); p != "crash" {
							t.Errorf("recovered %v", p)
						}
					}()
					last(w)
				}()
				c.leave()
				receive(t, told, "the callback")
				receive(t, r.Context().Done(), "the context to be done")
			})
			if p != nil {
				t.Errorf("ServeHTTP panicked with %v", p)
			}
		})
	}
}

// C3, C7: when a client has left, streams are cut off at the end of their handler. A writer that panics then
// keeps neither the watch from ending nor ServeHTTP from waiting for a callback.
func TestStream_cutPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c fakeConn
		over := false
		p := serveCrashing(&c, &crashing{deadline: true}, func(w http.ResponseWriter, r *http.Request) {
			_, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {
				time.Sleep(time.Second)
				over = true
			})
			must(t, err)
			_, err = httpwire.NewChunks(w, r, nil)
			must(t, err)
			c.leave()
		})
		if !over {
			t.Error("ServeHTTP was over before its callback")
		}
		wantCrash(t, p)
	})
}

// C7, H5: a writer that panics when a send has taken too long does so on a goroutine of ours: the panic
// is the handler's, not the program's end.
func TestStream_timeoutPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c fakeConn
		p := serveCrashing(&c, &crashing{deadline: true, takes: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
			s, err := httpwire.NewChunks(w, r, inASecond)
			must(t, err)
			defer func() {
				if p := recover(); p != "crash" { // the stream has failed, and is cut off
					t.Errorf("recovered %v", p)
				}
				if err := s.Emit([]byte("x")); !errors.Is(err, httpwire.ErrSendTimeout) {
					t.Errorf("Emit: %v, want ErrSendTimeout", err)
				}
			}()
			_ = s.Emit([]byte("x"))
		})
		wantCrash(t, p)
	})
}
