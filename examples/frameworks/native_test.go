//go:build cgo

package frameworks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A spin is a native call that computes until it is told to stop.
type spin struct {
	inside chan struct{} // it is in C
	result chan error    // of native.Do
}

func newSpin() *spin { return &spin{make(chan struct{}, 1), make(chan error, 1)} }

// run is what a handler of a user's does with its context.
func (s *spin) run(ctx context.Context) {
	_, err := native.Do(ctx, func(c *native.Call) (struct{}, error) {
		in := new(nativetest.Inside)
		go func() { in.Wait(); s.inside <- struct{}{} }()
		return struct{}{}, nativetest.Spin(c.Flag().Pointer(), 2*bound, in)
	})
	s.result <- err
}

// A client that leaves stops the native call that runs under the framework's
// context; the error says who left, beside what C said.
func TestStack_nativeStops(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		spin := newSpin()
		s := v.start(t, k.handler(func(c call) { spin.run(c.ctx) }, time.Hour), true)
		ctx, leave := context.WithCancel(context.Background())
		defer leave()
		answer := make(chan error, 1)
		go func() { answer <- k.do(ctx, s.client(t), s.url) }()
		receive(t, spin.inside, "the native call")
		leave()
		err := receive(t, spin.result, "native.Do")
		var d *httpwire.Disconnect
		switch {
		case !errors.Is(err, nativetest.ErrStopped):
			t.Errorf("err = %v: C was not stopped", err)
		case errors.As(err, &d):
			wantLeft(t, d, v.proto, false)
		case !k.races || !errors.Is(err, context.Canceled):
			t.Errorf("err = %v, want a Disconnect", err)
		}
		if receive(t, answer, "the client") == nil {
			t.Error("the client got an answer")
		}
		receive(t, s.ended, "the handler's end")
	})
}

// A limit stops it too, and is no disconnect; under http.TimeoutHandler, which
// does not wait for its handler, as well.
func TestStack_limitStopsNative(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		if k.noLimit {
			return
		}
		spin := newSpin()
		s := v.start(t, k.handler(func(c call) { spin.run(c.ctx) }, 30*time.Millisecond), true)
		ctx, stop := context.WithTimeout(context.Background(), bound)
		defer stop()
		if err := k.do(ctx, s.client(t, k.limit...), s.url); err == nil || ctx.Err() != nil {
			t.Errorf("the client got %v, want an answer that it was too late", err)
		}
		err := receive(t, spin.result, "native.Do")
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, httpwire.ErrDisconnected) {
			t.Errorf("err = %v, want a deadline", err)
		}
	})
}
