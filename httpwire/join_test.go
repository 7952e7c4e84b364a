package httpwire_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

// Rule 2: ServeHTTP returns only when the callback in flight has.
func TestHandler_waitsForCallback(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		inside, release := make(chan struct{}), make(chan struct{})
		var left atomic.Bool
		s := vs.serve(t, v)
		visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			_, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {
				close(inside)
				<-release
				left.Store(true)
			})
			<-r.Context().Done()
		})
		leave := s.request(t, "GET", "/")
		leave()
		receive(t, inside, "the callback")
		runtime.Gosched()
		select {
		case <-visit.ended:
			t.Fatal("ServeHTTP returned while a callback was running")
		default:
		}
		close(release)
		receive(t, visit.ended, "ServeHTTP")
		if !left.Load() {
			t.Error("ServeHTTP returned before its callback")
		}
	})
}

// Rule 2: no callback starts after ServeHTTP, not even one that is registered late
// on a request whose client has left.
func TestOnDisconnect_afterHandler(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		reqs := make(chan *http.Request, 1)
		visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			reqs <- r
			<-r.Context().Done()
		})
		s.request(t, "GET", "/")()
		r := receive(t, reqs, "the handler")
		receive(t, visit.ended, "ServeHTTP")
		reg, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { t.Error("callback after the handler") })
		if err != nil || reg.StopAndWait() {
			t.Errorf("OnDisconnect after the handler: %v, want a registration that does nothing", err)
		}
	})
}

// Rule 2: a callback may wait for what it likes of its own request, and stop its
// own registration, without a deadlock.
func TestOnDisconnect_selfCall(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			regs, done := make(chan cancel.Registration, 1), make(chan struct{})
			reg, _ := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {
				(<-regs).StopAndWait()
				close(done)
			})
			regs <- reg
			<-done
		})
		s.request(t, "GET", "/")()
		receive(t, visit.ended, "ServeHTTP")
	})
}

// A stopped registration is not called; its siblings are.
func TestOnDisconnect_stop(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.expect("/", nil)
		visit.do = func(w http.ResponseWriter, r *http.Request) {
			reg, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { t.Error("called although stopped") })
			if err != nil || !reg.Stop() || reg.Stop() {
				t.Errorf("Stop: want true, then false (%v)", err)
			}
			close(visit.ready)
			<-visit.release
		}
		leave := s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		leave()
		visit.left(t)
	})
}

// C7: a callback's panic reaches the handler's goroutine; http.ErrAbortHandler as
// itself, so that net/http treats it as usual.
func TestHandler_callbackPanics(t *testing.T) {
	for name, boom := range map[string]any{"value": "boom", "abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			each(t, 0, func(t *testing.T, v variant) {
				got := make(chan any, 1)
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { panic(boom) })
					<-r.Context().Done()
				})
				s := v.configure(t, h)
				inner := s.Handler
				s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() {
						p := recover()
						got <- p
						panic(p)
					}()
					inner.ServeHTTP(w, r)
				})
				s.listen(t)
				s.request(t, "GET", "/")()
				p := receive(t, got, "the panic")
				if pe, ok := p.(*cancel.PanicError); boom == "boom" && (!ok || pe.Value != boom || len(pe.Stack) == 0) {
					t.Errorf("recovered %v, want a PanicError of %v", p, boom)
				}
				if boom == any(http.ErrAbortHandler) && p != boom {
					t.Errorf("recovered %v, want http.ErrAbortHandler", p)
				}
			})
		})
	}
}

// C6, H2: when a callback runs, the context has been cancelled, with the same
// Disconnect.
func TestOnDisconnect_contextFirst(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		errs, checked := make(chan error, 1), make(chan struct{})
		visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
			ctx, stop := context.WithCancel(r.Context())
			defer stop()
			flag := cancel.FromContext(r.Context()).Flag()
			_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
				defer close(checked)
				switch {
				case r.Context().Err() == nil || context.Cause(r.Context()) != error(d):
					errs <- errors.New("the request's context is not cancelled with it")
				case ctx.Err() == nil || context.Cause(ctx) != error(d):
					errs <- errors.New("a derived context is not cancelled with it")
				case !flag.IsSet():
					errs <- errors.New("the flag is not set")
				default:
					errs <- nil
				}
			})
			<-checked
		})
		s.request(t, "GET", "/")()
		if err := receive(t, errs, "the callback"); err != nil {
			t.Error(err)
		}
		receive(t, visit.ended, "ServeHTTP")
	})
}

// H6: context.Cause without a Done before it is the Disconnect; polling Err alone
// sees it; a context derived with a deadline obeys both.
func TestContext_lookedAtLate(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", nil)
		leave := s.request(t, "GET", "/")
		receive(t, visit.ready, "the handler")
		short, stop := context.WithTimeout(visit.ctx, time.Hour)
		defer stop()
		if err := context.Cause(visit.ctx); err != nil {
			t.Errorf("cause of a live request = %v", err)
		}
		leave()
		d := receive(t, visit.fired, "OnDisconnect's callback")
		if c := context.Cause(visit.ctx); c != error(d) {
			t.Errorf("cause = %v, want %v", c, d)
		}
		receive(t, short.Done(), "the derived context")
		if c := context.Cause(short); c != error(d) {
			t.Errorf("derived cause = %v, want %v", c, d)
		}
		visit.end(t, 1)
	})
}

// Rule 2: a Gone that has decided and told nobody yet, when the handler returns: its
// callbacks run, and are waited for.
func TestHandler_returnsInsideGone(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		var want, got *httpwire.Disconnect
		visit := vs.expect("/", nil)
		visit.do = func(w http.ResponseWriter, r *http.Request) {
			_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { got = d })
			want = httpwire.SwapOnly(r)
		}
		s.request(t, "GET", "/")
		receive(t, visit.ended, "ServeHTTP")
		if want == nil || got != want || context.Cause(visit.ctx) != error(want) {
			t.Errorf("callback got %v, cause %v, want %p", got, context.Cause(visit.ctx), want)
		}
	})
}

// H2: the same when the server's own context ends in between: the cause is the
// Disconnect all the same.
func TestContext_endsInsideGone(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		base, stop := context.WithCancel(context.Background())
		defer stop()
		var vs visits
		s := vs.serve(t, v, func(s *http.Server) { s.BaseContext = func(net.Listener) context.Context { return base } })
		visit := vs.expect("/", nil)
		visit.do = func(w http.ResponseWriter, r *http.Request) {
			want := httpwire.SwapOnly(r)
			stop()
			<-r.Context().Done()
			if c := context.Cause(r.Context()); c != error(want) {
				t.Errorf("cause = %v, want the Disconnect", c)
			}
		}
		s.request(t, "GET", "/")
		receive(t, visit.ended, "ServeHTTP")
	})
}
