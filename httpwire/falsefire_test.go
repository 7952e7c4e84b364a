package httpwire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// request sends a request of the server's protocol and keeps the connection open.
// Its body, if it has one, never ends.
func (s *server) request(t testing.TB, method, path string) (leave func()) {
	t.Helper()
	if s.proto == httpwire.HTTP2 {
		c := s.h2(t)
		id := c.headers(method, path, method != "POST")
		c.flush()
		return func() { c.reset(id, http2.ErrCodeCancel) }
	}
	c, below := s.dial(t)
	head := method + " %s HTTP/1.1\r\nHost: h\r\n"
	if method == "POST" {
		head += "Content-Length: 10\r\n"
	}
	send(t, c, head+"\r\n", path)
	return func() {
		must(t, below.SetLinger(0))
		must(t, below.Close())
	}
}

// A ruse cancels the standard context although the client is there.
type ruse struct {
	name   string
	proto  httpwire.Protocol // 0: all
	method string
	set    func(*http.Server)
	do     func(w http.ResponseWriter, r *http.Request) error // in the handler
	after  func(t *testing.T, s *server)                      // in the test, once do has returned
	stays  bool                                               // the context is not cancelled
	unseen bool                                               // on a bare HTTP/1 connection: the context is not cancelled
	why    error                                              // what its cause matches, apart from context.Canceled

	drain bool // the client reads once the context is
}

// shortLimit is long enough for a TLS handshake on a busy machine: it limits that
// as well.
const shortLimit = 2 * time.Second

var errBase = errors.New("base context cancelled")

var ruses = []ruse{
	{name: "read deadline in the past", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP1, do: func(w http.ResponseWriter, r *http.Request) error {
		return http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second))
	}},
	{name: "read deadline soon", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP1, do: func(w http.ResponseWriter, r *http.Request) error {
		return http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	}},
	{name: "ReadTimeout in a slow body", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP1, method: "POST",
		set: func(s *http.Server) { s.ReadTimeout = shortLimit },
		do: func(w http.ResponseWriter, r *http.Request) error {
			if _, err := io.ReadAll(r.Body); err == nil {
				return errors.New("the body was read")
			}
			return nil
		}},
	{name: "WriteTimeout in a write", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP1, drain: true,
		set: func(s *http.Server) { s.WriteTimeout = shortLimit }, do: writeUntilError},
	{name: "write deadline", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP1, drain: true, do: func(w http.ResponseWriter, r *http.Request) error {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		return writeUntilError(w, r)
	}},
	{name: "WriteTimeout", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP2,
		set: func(s *http.Server) { s.WriteTimeout = shortLimit }},
	{name: "write deadline", why: httpwire.ErrServerDeadline, proto: httpwire.HTTP2, do: func(w http.ResponseWriter, r *http.Request) error {
		return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	}},
	{name: "read deadline", proto: httpwire.HTTP2, method: "POST", stays: true, do: func(w http.ResponseWriter, r *http.Request) error {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := io.ReadAll(r.Body); err == nil {
			return errors.New("the body was read")
		}
		return nil
	}},
	{name: "Server.Close", why: httpwire.ErrServerClosed, after: func(t *testing.T, s *server) { _ = s.Close() }},
	{name: "Server.Close with a body unread", unseen: true, why: httpwire.ErrServerClosed, method: "POST", after: func(t *testing.T, s *server) { _ = s.Close() }},
	{name: "Server.Shutdown", stays: true, after: func(t *testing.T, s *server) {
		ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
		defer stop()
		_ = s.Shutdown(ctx)
	}},
	{name: "HEAD and Flush", proto: httpwire.HTTP2, method: "HEAD", do: func(w http.ResponseWriter, r *http.Request) error {
		_ = begin(w, r) // may say that the stream has ended
		return nil
	}},
}

// drainLater sends a GET on HTTP/1.1, and reads once its context is done: net/http then
// closes, and its close_notify needs room, or it waits 5 s for that.
func (s *server) drainLater(t *testing.T, visit *visit) {
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
	receive(t, visit.begun, "the handler")
	go func() {
		<-visit.ctx.Done()
		_, _ = io.Copy(io.Discard, c)
	}()
}

func writeUntilError(w http.ResponseWriter, _ *http.Request) error {
	b := make([]byte, 1<<20)
	for range 10000 {
		if _, err := w.Write(b); err != nil {
			return nil
		}
	}
	return errors.New("no write failed")
}

// H3: nothing that the server does itself is a disconnect. The context keeps the
// meaning that net/http gives it (H6).
func TestOnDisconnect_falseFires(t *testing.T) {
	for _, x := range ruses {
		t.Run(x.name, func(t *testing.T) {
			eachAtOnce(t, x.proto, func(t *testing.T, v variant) {
				var vs visits
				s := vs.serve(t, v, func(s *http.Server) {
					if x.set != nil {
						x.set(s)
					}
				})
				visit := vs.hold(t, "/", x.do)
				method := x.method
				if method == "" {
					method = "GET"
				}
				if x.drain {
					s.drainLater(t, visit)
				} else {
					s.request(t, method, "/")
				}
				receive(t, visit.ready, "the handler")
				if x.after != nil {
					x.after(t, s)
				}
				stays, why := x.stays, x.why
				if v.bare && v.proto == httpwire.HTTP1 && x.unseen {
					stays, why = true, nil
				}
				if !stays {
					receive(t, visit.ctx.Done(), "the context to be done")
				}
				visit.end(t, 0)
				c := context.Cause(visit.ctx)
				if why == nil && c != context.Canceled || why != nil && !errors.Is(c, why) {
					t.Errorf("cause = %v, want %v", c, why)
				}
				if errors.Is(c, httpwire.ErrDisconnected) || !errors.Is(c, context.Canceled) {
					t.Errorf("cause %v: want context.Canceled, and no disconnect", c)
				}
			})
		})
	}
}

// H3: a cancelled base context is no disconnect, and its cause comes through.
func TestOnDisconnect_baseContext(t *testing.T) {
	for want, cause := range map[error]error{context.Canceled: nil, errBase: errBase} {
		each(t, 0, func(t *testing.T, v variant) {
			base, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			var vs visits
			s := vs.serve(t, v, func(s *http.Server) { s.BaseContext = func(net.Listener) context.Context { return base } })
			visit := vs.hold(t, "/", nil)
			s.request(t, "GET", "/")
			receive(t, visit.ready, "the handler")
			stop(cause)
			receive(t, visit.ctx.Done(), "the context to be done")
			c := context.Cause(visit.ctx)
			if !errors.Is(c, want) || !errors.Is(c, httpwire.ErrBaseContext) || errors.Is(c, httpwire.ErrDisconnected) {
				t.Errorf("cause = %v, want ErrBaseContext and %v", c, want)
			}
			visit.end(t, 0)
		})
	}
}

// H3: http.TimeoutHandler's deadline is no disconnect, though its handler goes on
// after ServeHTTP.
func TestOnDisconnect_timeoutHandler(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		ctxs, release, ended := make(chan context.Context, 1), make(chan struct{}), make(chan struct{})
		fired := make(chan *httpwire.Disconnect, 1)
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			if _, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { fired <- d }); err != nil {
				t.Error(err)
			}
			ctxs <- r.Context()
			<-release
		})
		s := v.start(t, http.TimeoutHandler(inner, 20*time.Millisecond, "too late"))
		s.request(t, "GET", "/")
		ctx := receive(t, ctxs, "the handler")
		receive(t, ctx.Done(), "the timeout")
		if ctx.Err() != context.DeadlineExceeded {
			t.Errorf("Err = %v, want context.DeadlineExceeded", ctx.Err())
		}
		close(release)
		receive(t, ended, "the handler to return")
		select {
		case d := <-fired:
			t.Errorf("fired %v for a timeout", d)
		default:
		}
	})
}

// H3, rule 1: neither the handler's return nor its panic is a disconnect.
func TestOnDisconnect_normalEnd(t *testing.T) {
	boom := func(v any) func(http.ResponseWriter, *http.Request) error {
		return func(http.ResponseWriter, *http.Request) error { panic(v) }
	}
	ends := map[string]func(http.ResponseWriter, *http.Request) error{
		"return": func(http.ResponseWriter, *http.Request) error { return nil },
		"abort":  boom(http.ErrAbortHandler), "panic": boom("boom"),
	}
	for name, do := range ends {
		t.Run(name, func(t *testing.T) {
			each(t, 0, func(t *testing.T, v variant) {
				var vs visits
				s := vs.serve(t, v)
				visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) { _ = do(w, r) })
				s.request(t, "GET", "/")
				visit.end(t, 0)
			})
		})
	}
}

// Rule 3: once the response is complete the client may leave as it likes.
func TestOnDisconnect_responseComplete(t *testing.T) {
	flush := func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }
	responses := []struct {
		name, method string
		proto        httpwire.Protocol
		do           func(w http.ResponseWriter, r *http.Request) error
	}{
		{"all of Content-Length", "GET", 0, func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
			return flush(w)
		}},
		{"HEAD", "HEAD", httpwire.HTTP1, func(w http.ResponseWriter, r *http.Request) error { return flush(w) }},
		{"HEAD, its end in a buffer", "HEAD", httpwire.HTTP2, func(w http.ResponseWriter, r *http.Request) error {
			_, _ = w.Write(make([]byte, 100))
			_, _ = w.Write(make([]byte, 4500)) // the header goes out with END_STREAM, 504 bytes stay: a "short write"
			return nil
		}},
		{"204", "GET", 0, func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusNoContent)
			return flush(w)
		}},
		{"304", "GET", 0, func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusNotModified)
			return flush(w)
		}},
		{"one large write", "GET", httpwire.HTTP2, func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Length", "20000")
			_, err := w.Write(make([]byte, 20000))
			return err
		}},
	}
	for _, x := range responses {
		t.Run(x.name, func(t *testing.T) {
			each(t, x.proto, func(t *testing.T, v variant) {
				var vs visits
				s := vs.serve(t, v)
				visit := vs.hold(t, "/", x.do)
				leave := s.request(t, x.method, "/")
				receive(t, visit.ready, "the handler")
				leave()
				if x.name != "204" && x.name != "304" || v.proto == httpwire.HTTP1 {
					receive(t, visit.ctx.Done(), "the context to be done")
				}
				visit.end(t, 0)
				if c := context.Cause(visit.ctx); c != context.Canceled {
					t.Errorf("cause = %v, want context.Canceled", c)
				}
			})
		})
	}
}

// Rule 3, the other side: a response that is not flushed, or not whole, is not
// complete.
func TestOnDisconnect_responseIncomplete(t *testing.T) {
	responses := map[string]func(w http.ResponseWriter, r *http.Request) error{
		"not flushed": func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Length", "5")
			_, err := io.WriteString(w, "hello")
			return err
		},
		"a byte missing": func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Length", "6")
			_, _ = io.WriteString(w, "hello")
			return http.NewResponseController(w).Flush()
		},
		"length after the header": func(w http.ResponseWriter, r *http.Request) error {
			_, _ = io.WriteString(w, "hello")
			w.Header().Set("Content-Length", "5") // too late: it was not sent
			return http.NewResponseController(w).Flush()
		},
		"length after the header, map before": func(w http.ResponseWriter, r *http.Request) error {
			h := w.Header()
			_, _ = io.WriteString(w, "hello")
			h.Set("Content-Length", "5")
			return http.NewResponseController(w).Flush()
		},
		"no length": func(w http.ResponseWriter, r *http.Request) error {
			_, _ = io.WriteString(w, "hello")
			return http.NewResponseController(w).Flush()
		},
	}
	for name, do := range responses {
		t.Run(name, func(t *testing.T) {
			each(t, 0, func(t *testing.T, v variant) {
				var vs visits
				s := vs.serve(t, v)
				visit := vs.hold(t, "/", do)
				leave := s.request(t, "GET", "/")
				receive(t, visit.ready, "the handler")
				leave()
				visit.left(t)
			})
		})
	}
}

// Rule 3: net/http drops a Content-Length beside a Transfer-Encoding on HTTP/1, and
// the last chunk goes out at the end; on HTTP/2 it is the Transfer-Encoding that goes.
func TestOnDisconnect_lengthBesideTransferEncoding(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Transfer-Encoding", "chunked")
			_, _ = io.WriteString(w, "hello")
			return http.NewResponseController(w).Flush()
		})
		leave := s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		leave()
		if v.proto == httpwire.HTTP2 {
			receive(t, visit.ctx.Done(), "the context to be done")
			visit.end(t, 0)
			return
		}
		visit.left(t)
	})
}

// A slowFlush is a ResponseWriter below ours whose Flush returns late.
type slowFlush struct {
	http.ResponseWriter
	flushed func() error
}

func (w slowFlush) FlushError() error {
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	return w.flushed()
}
func (w slowFlush) Flush() { _ = w.FlushError() }

// Rule 3: a client that leaves while the last Flush is under way has its answer if
// the Flush succeeds, and has not if it fails.
func TestOnDisconnect_leavesInLastFlush(t *testing.T) {
	for _, fails := range []error{nil, errors.New("flush failed")} {
		each(t, 0, func(t *testing.T, v variant) {
			if v.bare {
				t.Skip("the monitor may come after the server's own context")
			}
			var vs visits
			flushing := make(chan struct{})
			s := v.configure(t, &vs)
			inner := s.Handler
			s.Handler = vs.outer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner.ServeHTTP(slowFlush{w, func() error {
					close(flushing)
					<-r.Context().Done() // the server's own: the evidence came first
					return fails
				}}, r)
			}))
			s.listen(t)
			visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Content-Length", "5")
				_, _ = io.WriteString(w, "hello")
				w.(http.Flusher).Flush()
				return nil
			})
			leave := s.request(t, "GET", "/")
			receive(t, flushing, "the last Flush")
			leave()
			receive(t, visit.ready, "the Flush to return")
			if fails == nil {
				visit.end(t, 0)
				return
			}
			visit.left(t)
		})
	}
}
