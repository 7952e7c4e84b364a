package httpwire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

// Status: 499, 503, 504, 500; an error is never a 200.
// unavailable is an error as those of package native.
type unavailable bool

func (unavailable) Error() string       { return "pool full" }
func (u unavailable) Unavailable() bool { return bool(u) }

func TestStatus(t *testing.T) {
	d := &httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: httpwire.Timeout, Err: os.ErrDeadlineExceeded}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{d, 499},
		{fmt.Errorf("query: %w", d), 499},
		{errors.Join(context.DeadlineExceeded, d), 499},
		{context.Canceled, 499},
		{httpwire.ErrServerClosed, 503},
		{http.ErrServerClosed, 503},
		{fmt.Errorf("query: %w", httpwire.ErrBaseContext), 503},
		{fmt.Errorf("query: %w", unavailable(true)), 503},
		{errors.Join(context.Canceled, unavailable(true)), 503},
		{errors.Join(d, unavailable(true)), 499},
		{unavailable(false), 500},
		{httpwire.ErrServerDeadline, 504},
		{context.DeadlineExceeded, 504},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), 504},
		{errors.New("no such table"), 500},
		{httpwire.ErrNotConfigured, 500},
	} {
		if got := httpwire.Status(tt.err); got != tt.want {
			t.Errorf("Status(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

// H2: a reason of our own is told from the others, and is never a disconnect.
func TestReasons(t *testing.T) {
	reasons := []error{httpwire.ErrServerClosed, httpwire.ErrServerDeadline, httpwire.ErrBaseContext, httpwire.ErrDisconnected}
	for i, a := range reasons {
		for j, b := range reasons {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("errors.Is(%v, %v) = %v", a, b, i != j)
			}
		}
	}
	if !errors.Is(httpwire.ErrServerClosed, http.ErrServerClosed) || !errors.Is(httpwire.ErrServerDeadline, os.ErrDeadlineExceeded) {
		t.Error("a reason does not match its name in the standard library")
	}
	if errors.Is(httpwire.ErrServerDeadline, context.DeadlineExceeded) {
		t.Error("a reason matches too much")
	}
}

// H4: what is detached survives the client and the handler, with the request's
// values, and ends with the server's base context; the rest of the request is told
// as always.
func TestDetach(t *testing.T) {
	type key struct{}
	each(t, 0, func(t *testing.T, v variant) {
		base, stop := context.WithCancelCause(context.WithValue(context.Background(), key{}, "base"))
		defer stop(nil)
		var vs visits
		s := vs.serve(t, v, func(s *http.Server) { s.BaseContext = func(net.Listener) context.Context { return base } })
		detached := make(chan context.Context, 1)
		visit := vs.hold(t, "/", func(_ http.ResponseWriter, r *http.Request) error {
			detached <- httpwire.Detach(r)
			return nil
		})
		leave := s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		ctx := receive(t, detached, "the detached context")
		leave()
		visit.left(t)
		if ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Errorf("detached context: %v, %v after the client and the handler have gone", ctx.Err(), context.Cause(ctx))
		}
		if _, ok := ctx.Deadline(); ok || ctx.Value(key{}) != "base" || ctx.Value(http.ServerContextKey) != s.Server {
			t.Error("detached context has a deadline, or not the request's values")
		}
		if cancel.FromContext(ctx) != nil {
			t.Error("detached context is governed by the request's token")
		}
		derived, end := context.WithCancel(ctx)
		defer end()
		stop(errBase)
		receive(t, derived.Done(), "the context derived from the detached one")
		if context.Cause(ctx) != errBase || context.Cause(derived) != errBase || ctx.Err() != context.Canceled {
			t.Errorf("detached context's cause = %v, want %v", context.Cause(ctx), errBase)
		}
	})
}

// Without a server a detached context is never done.
func TestDetach_httptest(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	r, _ := http.NewRequestWithContext(ctx, "GET", "/", nil)
	stop()
	if got := httpwire.Detach(r); got.Err() != nil || got.Done() != nil {
		t.Errorf("Detach = %v", got)
	}
}

// C7: no panic is lost, however many there are, and the handler's own is first.
func TestHandler_severalPanics(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name      string
		own       any
		callbacks []any
		want      func(p any) bool
	}{
		{"two callbacks", nil, []any{boom, "bang"}, func(p any) bool { return says(p, "boom", "bang") && matches(p, boom) }},
		{"handler and callback", "crash", []any{boom}, func(p any) bool { return says(p, "crash", "boom", "severalPanics") && matches(p, boom) }},
		{"handler and abort", "crash", []any{http.ErrAbortHandler}, func(p any) bool { return p == "crash" }},
		{"abort and callback", http.ErrAbortHandler, []any{boom}, func(p any) bool { return says(p, "boom") }},
		{"aborts", http.ErrAbortHandler, []any{http.ErrAbortHandler}, func(p any) bool { return p == http.ErrAbortHandler }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan any, 1)
			s := variants[0].configure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, v := range tt.callbacks {
					_, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { panic(v) })
				}
				<-r.Context().Done()
				if tt.own != nil {
					panic(tt.own)
				}
			}))
			inner := s.Handler
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { got <- recover() }()
				inner.ServeHTTP(w, r)
			})
			s.listen(t)
			s.request(t, "GET", "/")()
			if p := receive(t, got, "the panic"); !tt.want(p) {
				t.Errorf("recovered %v", p)
			}
		})
	}
}

func says(p any, words ...string) bool {
	pe, ok := p.(*cancel.PanicError)
	for _, w := range words {
		ok = ok && strings.Contains(pe.Error(), w)
	}
	return ok
}

func matches(p any, err error) bool {
	pe, ok := p.(*cancel.PanicError)
	return ok && errors.Is(pe, err)
}

// H2: net/http ends its own read between two requests by a deadline: the second
// request's connection, when the server closes it, was not ended by that.
func TestContext_serverClosedAfterKeepAlive(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		first, second := vs.hold(t, "/first", nil), vs.hold(t, "/second", nil)
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/first")
		receive(t, first.ready, "the first handler")
		first.end(t, 0)
		_, err := readResponse(c)
		must(t, err)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/second")
		receive(t, second.ready, "the second handler")
		_ = s.Close()
		receive(t, second.ctx.Done(), "the context to be done")
		second.end(t, 0)
		if cause := context.Cause(second.ctx); !errors.Is(cause, httpwire.ErrServerClosed) {
			t.Errorf("cause = %v, want ErrServerClosed", cause)
		}
	})
}

// readResponse reads one response, to its end.
func readResponse(c net.Conn) (string, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// H6: a connection that the handler has taken over is its own to close.
func TestContext_hijackedAndClosed(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			if err := c.Close(); err != nil {
				return err
			}
			return r.Context().Err()
		})
		s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		visit.untouched(t)
	})
}

// H2: a read deadline does not end an HTTP/2 request's context, and so is not why
// something else did.
func TestContext_http2ReadDeadlineIsNotWhy(t *testing.T) {
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, _ *http.Request) error {
			return http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second))
		})
		c := s.h2(t)
		id := c.headers("POST", "/", false, "content-length", "3")
		c.flush()
		receive(t, visit.ready, "the handler")
		must(t, c.fr.WriteData(id, false, []byte("too long")))
		c.flush()
		receive(t, visit.ctx.Done(), "the context to be done")
		visit.end(t, 0)
		if cause := context.Cause(visit.ctx); cause != context.Canceled {
			t.Errorf("cause = %v, want context.Canceled", cause)
		}
	})
}
