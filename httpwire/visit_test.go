package httpwire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// A visit is what one request met with in its handler.
type visit struct {
	begun   chan struct{}             // closed when the handler has been entered
	ready   chan struct{}             // closed when the handler has registered
	fired   chan *httpwire.Disconnect // the callback ran
	release chan struct{}             // close it to let the handler return
	ended   chan struct{}             // closed when ServeHTTP, middleware and all, has returned
	count   atomic.Int32              // of callbacks started
	late    atomic.Int32              // of callbacks that ran after ended
	over    atomic.Bool
	err     error           // of OnDisconnect
	ctx     context.Context // r.Context()
	do      func(w http.ResponseWriter, r *http.Request)
}

// visits is a handler that gives each request its visit, named by its path.
type visits struct {
	mu sync.Mutex
	m  map[string]*visit
}

// expect names the visit of a request to come.
func (vs *visits) expect(path string, do func(http.ResponseWriter, *http.Request)) *visit {
	v := &visit{
		begun: make(chan struct{}), ready: make(chan struct{}), fired: make(chan *httpwire.Disconnect, 8),
		release: make(chan struct{}), ended: make(chan struct{}), do: do,
	}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.m == nil {
		vs.m = make(map[string]*visit)
	}
	vs.m[path] = v
	return v
}

func (vs *visits) find(r *http.Request) *visit {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return vs.m[r.URL.Path]
}

// ServeHTTP registers, says so, does what the visit wants and waits to be
// released.
func (vs *visits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := vs.find(r)
	if v == nil {
		http.NotFound(w, r)
		return
	}
	v.ctx = r.Context()
	_, v.err = httpwire.OnDisconnect(r, v.disconnected)
	close(v.begun)
	if v.do != nil {
		v.do(w, r)
		return
	}
	close(v.ready)
	<-v.release
}

func (v *visit) disconnected(d *httpwire.Disconnect) {
	v.count.Add(1)
	if v.over.Load() {
		v.late.Add(1)
	}
	v.fired <- d
}

// outer notes the end of each visit. It goes around the middleware.
func (vs *visits) outer(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := vs.find(r); v != nil {
				v.over.Store(true)
				close(v.ended)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// serve starts a server of vs. It sees the end of each request from outside the
// middleware.
func (vs *visits) serve(t testing.TB, v variant, set ...func(*http.Server)) *server {
	s := v.configure(t, vs, set...)
	s.Handler = vs.outer(s.Handler)
	s.listen(t)
	return s
}

// gone asserts that the visit was told once, and how, and ends it.
func (v *visit) gone(t testing.TB, want httpwire.Disconnect, or ...httpwire.Kind) *httpwire.Disconnect {
	t.Helper()
	d := receive(t, v.fired, "OnDisconnect's callback")
	receive(t, v.begun, "OnDisconnect to return") // the callback may be ahead of it
	must(t, v.err)
	if d.Proto != want.Proto || d.Kind != want.Kind && !slices.Contains(or, d.Kind) || d.HasCode != want.HasCode || d.Code != want.Code {
		t.Errorf("got %v (%+v), want %+v", d, *d, want)
	}
	if !errors.Is(d, httpwire.ErrDisconnected) || d.Time.IsZero() || d.Source == 0 {
		t.Errorf("incomplete Disconnect: %+v", *d)
	}
	err := want.Err
	if err == nil {
		err = causeOf(d)
	}
	if !errors.Is(d.Err, err) && d.Source != httpwire.SourceContext {
		t.Errorf("%v: the underlying error is %v, want %v", d, d.Err, err)
	}
	receive(t, v.ctx.Done(), "the context to be done")
	if got := context.Cause(v.ctx); got != error(d) {
		t.Errorf("context.Cause = %v, want %v", got, d)
	}
	if v.ctx.Err() != context.Canceled {
		t.Errorf("Err = %v, want context.Canceled", v.ctx.Err())
	}
	v.end(t, 1)
	return d
}

// left is gone, whatever kind it was.
func (v *visit) left(t testing.TB) *httpwire.Disconnect {
	t.Helper()
	d := receive(t, v.fired, "OnDisconnect's callback")
	v.fired <- d
	return v.gone(t, *d)
}

// causeOf returns the underlying error that a Disconnect of this kind has, on
// HTTP/1 and HTTP/2.
func causeOf(d *httpwire.Disconnect) error {
	switch d.Kind {
	case httpwire.Closed:
		if errors.Is(d.Err, io.ErrUnexpectedEOF) { // TLS without its close_notify
			return io.ErrUnexpectedEOF
		}
		return io.EOF
	case httpwire.Reset:
		return errConnReset
	case httpwire.WriteFailed:
		return errBrokenPipe
	case httpwire.StreamReset:
		return nil // the code says it
	}
	return d.Err
}

// end lets the handler return and asserts how often the callback was started.
func (v *visit) end(t testing.TB, want int32) {
	t.Helper()
	select {
	case <-v.release:
	default:
		close(v.release)
	}
	receive(t, v.ended, "the handler to return")
	if n := v.count.Load(); n != want {
		t.Errorf("callback started %d times, want %d", n, want)
	}
	if n := v.late.Load(); n != 0 {
		t.Errorf("%d callbacks ran after ServeHTTP returned", n)
	}
	if v.ctx.Err() == nil {
		t.Error("context is not done although the handler has returned")
	}
}

// untouched asserts that the visit is not over, and that its end is a normal one.
func (v *visit) untouched(t testing.TB) {
	t.Helper()
	if err := v.ctx.Err(); err != nil {
		t.Errorf("control request: Err = %v (%v), want nil", err, context.Cause(v.ctx))
	}
	v.end(t, 0)
	if c := context.Cause(v.ctx); c != context.Canceled {
		t.Errorf("control request: cause = %v, want context.Canceled", c)
	}
}
