package httpwire_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// H5: the source of a Pump stops when the client leaves, before Pump returns, and
// the error says both.
func TestStream_pump(t *testing.T) {
	own := errors.New("source")
	each(t, 0, func(t *testing.T, v variant) {
		for _, says := range []error{nil, own} {
			var stopped atomic.Bool
			first := make(chan struct{})
			errs := make(chan error, 1)
			s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				st, err := httpwire.NewEventStream(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				err = st.Pump(func(yield func(httpwire.Event, error) bool) {
					defer stopped.Store(true)
					yield(httpwire.Event{Data: "first"}, nil)
					close(first)
					<-r.Context().Done()
					if says != nil {
						yield(httpwire.Event{}, says)
					}
				})
				if !stopped.Load() {
					t.Error("Pump returned before its source")
				}
				errs <- err
			}))
			leave := s.request(t, "GET", "/")
			receive(t, first, "the source")
			leave()
			err := receive(t, errs, "Pump")
			if _, ok := errors.AsType[*httpwire.Disconnect](err); !ok || says != nil && !errors.Is(err, says) {
				t.Errorf("Pump: %v, want a Disconnect and %v", err, says)
			}
		}
	})
}

// The error of a source whose client is there is Pump's; so is none.
func TestStream_pumpEnds(t *testing.T) {
	own := errors.New("source")
	for _, says := range []error{nil, own} {
		rec := httptest.NewRecorder()
		s, err := httpwire.NewNDJSON[int](rec, httptest.NewRequest("GET", "/", nil), nil)
		must(t, err)
		err = s.Pump(func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(2, nil)
			if says != nil {
				yield(0, says)
			}
		})
		if err != says || rec.Body.String() != "1\n2\n" {
			t.Errorf("Pump: %v, %q", err, rec.Body)
		}
	}
}

// H5: a channel's sender, which watches the context, has stopped when PumpChan returns.
func TestStream_pumpChan(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var stopped atomic.Bool
		first := make(chan struct{})
		errs := make(chan error, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewNDJSON[int](w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c := make(chan int)
			go func() {
				defer close(c)
				defer stopped.Store(true)
				c <- 1
				close(first)
				<-st.Done()
				c <- 2 // it has not looked; nobody hangs
			}()
			err = st.PumpChan(c)
			if !stopped.Load() {
				t.Error("PumpChan returned before its source")
			}
			errs <- err
		}))
		leave := s.request(t, "GET", "/")
		receive(t, first, "the source")
		leave()
		if err := receive(t, errs, "PumpChan"); !errors.Is(err, httpwire.ErrDisconnected) {
			t.Errorf("PumpChan: %v, want a Disconnect", err)
		}
	})
}
