package httpwire_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/memtest"
)

// around has a handler of its own around h, as a program has that wraps srv.Handler after Configure.
func around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
}

// H6: a handler around ours keeps its request's context: it may look at it on another
// goroutine, at any time. The race detector is a part of this test.
func TestHandler_leavesOthersRequests(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		errs := make(chan string, 1)
		s := v.configure(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			httpwire.SwapOnly(r) // fails where there is no watch
		}))
		inner := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before := r.Context()
			var during context.Context
			var wg sync.WaitGroup
			wg.Go(func() { during = r.Context() })
			inner.ServeHTTP(w, r)
			wg.Wait()
			err := ""
			switch {
			case during != before:
				err = "its context changed meanwhile"
			case r.Context() != before:
				err = "its context has changed"
			case before.Err() != nil:
				err = "its context is done with the inner handler"
			}
			errs <- err
		})
		s.listen(t)
		once, err := v.asker(t, s), ""
		once()
		if err = receive(t, errs, "the outer handler"); err != "" {
			t.Error(err)
		}
	})
}

// H6: nor is a request touched where a server has taken over another's hooks and has its
// handler wrapped.
func TestHandler_leavesOthersRequests_hooksTaken(t *testing.T) {
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		first := v.configure(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		same := make(chan bool, 1)
		inner := first.Handler
		second := v.configure(t, nil)
		second.ConnContext, second.ConnState, second.BaseContext = first.ConnContext, first.ConnState, first.BaseContext
		second.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before := r.Context()
			inner.ServeHTTP(w, r)
			same <- r.Context() == before
		})
		second.listen(t)
		v.asker(t, second)()
		if !receive(t, same, "the outer handler") {
			t.Error("its context has changed")
		}
	})
}

// asker returns a function that makes one request of s.
func (v variant) asker(t testing.TB, s *server) func() {
	c, _ := s.dial(t)
	if v.proto == httpwire.HTTP2 {
		return frames(t, c)
	}
	return lines(t, c)
}

// What is allocated for a request whose handler never looks, in bytes more than with
// plain net/http, and with a handler around ours, which has the request copied.
func TestHandler_bytes(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, v := range variants {
		if v.tls || v.xnet || v.bare {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			plain := bytesPerRun(roundTrips(t, v, false, nothing))
			if n := bytesPerRun(roundTrips(t, v, true, nothing)) - plain; n > 200 {
				t.Errorf("%.0f bytes a request more than plain: was the request copied?", n)
			}
			s := v.configure(t, nothing)
			s.Handler = around(s.Handler)
			s.listen(t)
			if n := bytesPerRun(v.asker(t, s)) - plain; n < 300 {
				t.Errorf("%.0f bytes a request more than plain: was the request not copied?", n)
			}
		})
	}
}

func bytesPerRun(f func()) float64 {
	_, n := memtest.PerRun(2000, f)
	return n
}
