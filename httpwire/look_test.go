package httpwire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/wire"
	"github.com/hangup-go/hangup/native"
)

// rounds is how often a test of this file tries to hit a race.
const rounds = 2000

// isOver asserts that nothing is left of a request whose handler has returned and whose client had
// not left, whoever looks at it first.
func isOver(t *testing.T, r *http.Request) {
	t.Helper()
	ctx := r.Context()
	select {
	case <-ctx.Done():
	default:
		t.Error("Done is open")
	}
	if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
		t.Errorf("Err %v, cause %v, want context.Canceled", ctx.Err(), context.Cause(ctx))
	}
	derived, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	if derived.Err() != context.Canceled || context.Cause(derived) != context.Canceled {
		t.Errorf("derived: Err %v, cause %v", derived.Err(), context.Cause(derived))
	}
	if tok := cancel.FromContext(ctx); tok == nil || tok.Acquire() {
		t.Errorf("token %v: none, or one that can be borrowed", tok)
	}
	reg, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { t.Error("callback after the handler") })
	if err != nil || reg.Stop() {
		t.Errorf("OnDisconnect after the handler: %v, want a registration that does nothing", err)
	}
	_, err = native.Inline(ctx, func(*native.Call) (int, error) { panic("entered") })
	if !errors.Is(err, context.Canceled) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("native.Inline: %v, want context.Canceled", err)
	}
}

// firstLooks are the ways to look at a request.
var firstLooks = map[string]func(r *http.Request){
	"Done":         func(r *http.Request) { r.Context().Done() },
	"Err":          func(r *http.Request) { _ = r.Context().Err() },
	"Cause":        func(r *http.Request) { _ = context.Cause(r.Context()) },
	"derived":      func(r *http.Request) { _, stop := context.WithCancel(r.Context()); stop() },
	"AfterFunc":    func(r *http.Request) { context.AfterFunc(r.Context(), func() {}) },
	"OnDisconnect": func(r *http.Request) { _, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {}) },
	"native": func(r *http.Request) {
		_, _ = native.Inline(r.Context(), func(c *native.Call) (bool, error) { return c.Flag().IsSet(), nil })
	},
}

// H6, C3, N1: whoever looks first while the handler returns, before or after that, finds the
// request over; nothing follows its parent, and no flag is kept.
func TestLook_racesFinish(t *testing.T) {
	for name, look := range firstLooks {
		t.Run(name, func(t *testing.T) {
			before := cancel.FlagsInUse()
			for i := range rounds {
				parent, end := context.WithCancel(context.Background())
				var c fakeConn
				var looked sync.WaitGroup
				r := c.serve(parent, "GET", httptest.NewRecorder(), func(_ http.ResponseWriter, r *http.Request) {
					begun := make(chan struct{})
					looked.Go(func() {
						close(begun)
						for range i % 64 {
							runtime.Gosched()
						}
						look(r)
					})
					<-begun
				})
				if r.Context().Err() == nil {
					t.Error("the handler has returned, and Err is nil")
				}
				looked.Wait()
				isOver(t, r)
				n := c.judged.Load()
				end()
				if i%100 == 0 {
					time.Sleep(time.Millisecond) // room for what must not happen
				}
				if c.judged.Load() != n {
					t.Error("the watch of a request that is over follows its parent")
				}
				if t.Failed() {
					t.Fatal("in round ", i)
				}
			}
			if n := cancel.FlagsInUse() - before; n != 0 {
				t.Errorf("%d flags are kept", n)
			}
		})
	}
}

// Rule 3: who looks first at a request whose response is complete, or becomes so just then, is
// not told of its client any more; its context goes on.
func TestLook_afterComplete(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		for _, after := range []bool{true, false} {
			reqs, ended := make(chan *http.Request, 1), make(chan struct{})
			s := v.configure(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusNoContent)
				_ = http.NewResponseController(w).Flush() // HTTP/2 may call the end of its stream an error
				if !after {
					lookCompleted(t, r)
				}
				reqs <- r
			}))
			h := s.Handler
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				h.ServeHTTP(w, r)
			})
			s.listen(t)
			s.request(t, "GET", "/")
			r := receive(t, reqs, "the handler")
			receive(t, ended, "ServeHTTP")
			isOver(t, r)
		}
	})
}

// lookCompleted looks at a request whose response is complete and whose handler is running.
func lookCompleted(t *testing.T, r *http.Request) {
	reg, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { t.Error("told after the response") })
	if err != nil || reg.Stop() {
		t.Errorf("OnDisconnect after the response: %v, want a registration that does nothing", err)
	}
	if err := r.Context().Err(); err != nil {
		t.Errorf("Err after the response = %v, want nil", err)
	}
	_, err = native.Inline(r.Context(), func(*native.Call) (int, error) { return 1, nil })
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("native.Inline after the response: %v", err)
	}
}

// C1, C3: the first look while the response becomes complete: one of the two completes what
// OnDisconnect registers on, so that nothing stays registered.
func TestLook_racesComplete(t *testing.T) {
	const some = 200
	met := 0
	for start := time.Now(); met < 50*rounds && time.Since(start) < time.Second; met += some { // where the two run in turns, a round takes long
		if n := httpwire.RaceLookComplete(some); n != 0 {
			t.Fatalf("%d of %d registrations wait for what can't come", n, some)
		}
	}
	t.Log(met, "rounds")
}

// H6: a look that was made by who had something to say, and that nobody armed, follows its parent
// as little after the handler's end as any other.
func TestLook_armedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c fakeConn
		parent, end := context.WithCancel(context.Background())
		r := c.serve(parent, "GET", httptest.NewRecorder(), func(http.ResponseWriter, *http.Request) {
			c.sink.Ended(wire.Event{Kind: wire.ServerClosed})
		})
		r.Context().Done()
		end()
		synctest.Wait()
		if c.judged.Load() != 0 {
			t.Error("the watch of a request that is over follows its parent")
		}
	})
	if httpwire.OverFollows() {
		t.Error("so does that of one at which nobody looked")
	}
}

// N4, H2: requests at which nobody looked before their handlers returned share nothing that
// shows: what is told to one, or registered with it, reaches no other, nor a live one.
func TestLook_nothingShared(t *testing.T) {
	serve := func(c *fakeConn) *http.Request {
		return c.serve(context.Background(), "GET", httptest.NewRecorder(), func(http.ResponseWriter, *http.Request) {})
	}
	flags := cancel.FlagsInUse()
	var live, a, b fakeConn
	live.serve(context.Background(), "GET", httptest.NewRecorder(), func(_ http.ResponseWriter, r *http.Request) {
		ra, rb := serve(&a), serve(&b)
		isOver(t, ra)
		for _, look := range firstLooks {
			look(ra)
		}
		if s, err := httpwire.NewChunks(httptest.NewRecorder(), ra, nil); err == nil {
			t.Errorf("stream %v of a request that is over", s)
		}
		a.leave() // both late
		a.sink.Ended(wire.Event{Kind: wire.ServerClosed})
		isOver(t, ra)
		isOver(t, rb)
		if err := r.Context().Err(); err != nil {
			t.Errorf("a live request: %v", err)
		}
		again := new(fakeConn)
		isOver(t, serve(again))
	})
	if n := cancel.FlagsInUse() - flags; n != 0 {
		t.Errorf("%d flags are kept", n)
	}
}
