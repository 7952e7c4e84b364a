package httpwire_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	//lint:ignore SA1019 it is deprecated, and still used
	"golang.org/x/net/http2/h2c"

	"github.com/hangup-go/hangup/httpwire"
)

// Rule 5: without a server, registering does nothing and succeeds, with the
// middleware and without.
func TestOnDisconnect_httptest(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reg, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { t.Error("called") })
		if err != nil || reg.Stop() {
			t.Errorf("OnDisconnect: %v, want a registration that does nothing", err)
		}
	})
	r := httptest.NewRequest("GET", "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	httpwire.Handler(h).ServeHTTP(httptest.NewRecorder(), r)
}

// Rule 5: on a real server without the middleware registering fails.
func TestOnDisconnect_notConfigured(t *testing.T) {
	errs := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {})
		errs <- err
	}))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	must(t, err)
	_ = resp.Body.Close()
	if err := receive(t, errs, "the handler"); !errors.Is(err, httpwire.ErrNotConfigured) {
		t.Errorf("err = %v, want ErrNotConfigured", err)
	}
}

// h2c by x/net's hijacking handler is not silently wrong: it is an error.
func TestOnDisconnect_h2cNewHandler(t *testing.T) {
	errs := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {})
		errs <- err
	})
	v := variant{proto: httpwire.HTTP2}
	//nolint:staticcheck // deprecated, but in use
	//lint:ignore SA1019 as above
	s := v.start(t, h2c.NewHandler(h, &http2.Server{}), func(s *http.Server) {
		s.Protocols = new(http.Protocols)
		s.Protocols.SetHTTP1(true)
	})
	c := s.h2(t)
	id := c.get("/")
	if err := receive(t, errs, "the handler"); !errors.Is(err, httpwire.ErrNotConfigured) {
		t.Errorf("err = %v, want ErrNotConfigured", err)
	}
	receive(t, c.end(id), "the response")
}

// H7: middleware twice makes one watch: who registers between the two is told the
// same Disconnect.
func TestHandler_nested(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		between := make(chan *httpwire.Disconnect, 2)
		inner := httpwire.Handler(&vs)
		s := v.configure(t, httpwire.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { between <- d })
			if err != nil {
				t.Error(err)
			}
			inner.ServeHTTP(w, r)
		})))
		must(t, httpwire.Configure(s.Server, nil)) // again
		s.Handler = vs.outer(s.Handler)
		s.listen(t)
		visit := vs.hold(t, "/", nil)
		leave := s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		leave()
		d := receive(t, visit.fired, "OnDisconnect's callback")
		if c := context.Cause(visit.ctx); c != error(d) {
			t.Errorf("cause = %v, want %v", c, d)
		}
		if other := receive(t, between, "the callback between"); other != d {
			t.Errorf("two Disconnects for one: %v, %v", d, other)
		}
		visit.end(t, 1)
	})
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// H7: middleware that wraps the ResponseWriter and derives the context, inside and
// outside of ours.
func TestHandler_wrappedByOthers(t *testing.T) {
	type key struct{}
	other := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, stop := context.WithCancel(context.WithValue(r.Context(), key{}, 1))
			defer stop()
			h.ServeHTTP(wrapped{w}, r.WithContext(ctx))
		})
	}
	each(t, 0, func(t *testing.T, v variant) {
		for _, outside := range []bool{false, true} {
			var vs visits
			h := other(&vs)
			s := v.configure(t, h)
			if outside {
				s.Handler = other(s.Handler)
			}
			s.Handler = vs.outer(s.Handler)
			s.listen(t)
			visit := vs.hold(t, "/", nil)
			leave := s.request(t, "GET", "/")
			receive(t, visit.ready, "the handler")
			leave()
			d := receive(t, visit.fired, "OnDisconnect's callback")
			if v.proto == httpwire.HTTP2 && (d.Kind != httpwire.StreamReset || !d.HasCode) {
				t.Errorf("got %v, want a stream reset with its code", d)
			}
			visit.fired <- d
			visit.gone(t, *d)
		}
	})
}

// The bare middleware falls back to the context, and says so.
func TestHandler_withoutConfigure(t *testing.T) {
	fired := make(chan *httpwire.Disconnect, 1)
	entered := make(chan struct{})
	s := httptest.NewUnstartedServer(httpwire.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { fired <- d })
		if err != nil {
			t.Error(err)
		}
		close(entered)
		<-r.Context().Done()
	})))
	s.Start()
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	must(t, err)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
	receive(t, entered, "the handler")
	must(t, c.Close())
	if d := receive(t, fired, "OnDisconnect's callback"); d.Source != httpwire.SourceContext {
		t.Errorf("source = %v, want context", d.Source)
	}
}

// H7: a handler's ResponseWriter has what the server's has, no more and no less.
func TestHandler_responseWriter(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		plain, ours := make(chan []bool, 1), make(chan []bool, 1)
		has := func(w http.ResponseWriter) (set []bool) {
			_, f := w.(http.Flusher)
			_, h := w.(http.Hijacker)
			_, p := w.(http.Pusher)
			_, r := w.(io.ReaderFrom)
			_, s := w.(io.StringWriter)
			_, n := w.(interface{ CloseNotify() <-chan bool })
			rc := http.NewResponseController(w)
			d := rc.EnableFullDuplex() == nil
			return append(set, f, h, p, r, s, n, d)
		}
		s := v.configure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ours <- has(w) }))
		inner := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			plain <- has(w)
			inner.ServeHTTP(w, r)
		})
		s.listen(t)
		s.request(t, "GET", "/")
		want, got := receive(t, plain, "the request"), receive(t, ours, "the handler")
		for i, what := range []string{"Flusher", "Hijacker", "Pusher", "ReaderFrom", "StringWriter", "CloseNotifier", "EnableFullDuplex"} {
			if want[i] != got[i] {
				t.Errorf("%s: net/http %v, ours %v", what, want[i], got[i])
			}
		}
	})
}

type plainWriter struct{ http.ResponseWriter }

// A writer without Flush does not get one.
func TestHandler_doesNotInventInterfaces(t *testing.T) {
	got := make(chan bool, 1)
	v := variant{proto: httpwire.HTTP1}
	s := v.configure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok := w.(http.Flusher)
		got <- ok || http.NewResponseController(w).Flush() == nil
	}))
	inner := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(plainWriter{w}, r) })
	s.listen(t)
	s.request(t, "GET", "/")
	if receive(t, got, "the handler") {
		t.Error("a Flusher although the writer below is none")
	}
}

// After a Hijack the connection's close is still reported, until the handler
// returns, and the connection works.
func TestHandler_hijack(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = c.Close() })
			line, err := rw.ReadString('\n')
			if err == nil {
				_, err = io.WriteString(c, "echo "+line)
			}
			return err
		})
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\nhello\n", "/")
		got, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || got != "echo hello\n" {
			t.Fatalf("read %q, %v", got, err)
		}
		receive(t, visit.ready, "the handler")
		must(t, c.Close())
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	})
}

// A ReverseProxy in front passes its client's leaving on.
func TestOnDisconnect_reverseProxy(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		backend := vs.serve(t, variants[0])
		u, err := url.Parse("http://" + backend.addr)
		must(t, err)
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		proxy := &httputil.ReverseProxy{Transport: tr, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(u) }}
		proxy.ErrorLog = backend.ErrorLog
		front := v.start(t, proxy)
		visit := vs.hold(t, "/", nil)
		leave := front.request(t, "GET", "/")
		receive(t, visit.ready, "the backend's handler")
		leave()
		visit.left(t)
	})
}

// What a handler leaves in its copy of the request reaches the server: the files of
// a multipart form are removed, the pattern can be logged.
func TestHandler_handsBack(t *testing.T) {
	names, patterns := make(chan string, 1), make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		must(t, r.ParseMultipartForm(1))
		f, err := r.MultipartForm.File["f"][0].Open()
		must(t, err)
		defer func() { _ = f.Close() }()
		names <- f.(*os.File).Name()
	})
	v := variant{proto: httpwire.HTTP1}
	s := v.configure(t, mux)
	inner := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		patterns <- r.Pattern
	})
	s.listen(t)

	var body strings.Builder
	mw := multipart.NewWriter(&body)
	part, err := mw.CreateFormFile("f", "name")
	must(t, err)
	_, _ = part.Write(make([]byte, 1<<20))
	must(t, mw.Close())
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Post("http://"+s.addr+"/upload", mw.FormDataContentType(), strings.NewReader(body.String()))
	must(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(t, err)
	_ = resp.Body.Close()
	if p := receive(t, patterns, "the handler"); p != "POST /upload" {
		t.Errorf("Pattern = %q", p)
	}
	tr.CloseIdleConnections()
	_ = s.Close()
	s.conns.Wait()
	if _, err := os.Stat(receive(t, names, "the file's name")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the form's file is still there: %v", err)
	}
}
