package frameworks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// A visit is one request whose handler waits for its context.
type visit struct {
	ready chan error                // the handler runs and has registered
	fired chan *httpwire.Disconnect // OnDisconnect's callback
	cause chan error                // of the handler's context, once it was done
	own   chan error                // of the request's
}

func newVisit() *visit {
	return &visit{make(chan error, 1), make(chan *httpwire.Disconnect, 8), make(chan error, 1), make(chan error, 1)}
}

func (v *visit) serve(c call) {
	_, err := httpwire.OnDisconnect(c.r, func(d *httpwire.Disconnect) { v.fired <- d })
	v.ready <- err
	if err != nil {
		return
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-c.ctx.Done():
		v.own <- context.Cause(c.r.Context())
		v.cause <- context.Cause(c.ctx)
	case <-timer.C:
		v.own <- nil
		v.cause <- errors.New("the context was never done")
	}
}

// notFired is to be called when the handler has ended: nothing fires after that.
func (v *visit) notFired(t *testing.T) {
	t.Helper()
	select {
	case d := <-v.fired:
		t.Errorf("OnDisconnect fired: %v (%v)", d, d.Source)
	default:
	}
}

// wantLeft checks that d says how a client of p that cancels its request leaves; on
// HTTP/1.1 a handler that is sending may learn it by its write's EPIPE, while the read
// that was told why has yet to say so.
func wantLeft(t *testing.T, d *httpwire.Disconnect, p httpwire.Protocol, sending bool) {
	t.Helper()
	switch {
	case d.Proto != p:
		t.Errorf("protocol %v, want %v", d.Proto, p)
	case p == httpwire.HTTP1 && d.Kind != httpwire.Closed && d.Kind != httpwire.Reset &&
		!(sending && d.Kind == httpwire.WriteFailed && d.Source == httpwire.SourceWrite):
		t.Errorf("%v, want closed or reset", d)
	case p == httpwire.HTTP2 && (d.Kind != httpwire.StreamReset || !d.HasCode || d.Code != 8):
		t.Errorf("%v, want a stream reset with code CANCEL", d)
	case d.Source == httpwire.SourceContext:
		t.Errorf("%v: from the context alone", d)
	}
}

// H7: a client that leaves is reported once, and the handler's context has the
// Disconnect as its cause, whatever the framework derived it from.
func TestStack_clientLeaves(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		visit := newVisit()
		s := v.start(t, k.handler(visit.serve, time.Hour), true)
		ctx, leave := context.WithCancel(context.Background())
		defer leave()
		answer := make(chan error, 1)
		go func() { answer <- k.do(ctx, s.client(t), s.url) }()
		must(t, receive(t, visit.ready, "the handler"))
		leave()
		d := receive(t, visit.fired, "OnDisconnect's callback")
		wantLeft(t, d, v.proto, false)
		if err := receive(t, visit.own, "the request's context"); err != error(d) {
			t.Errorf("cause of the request's context: %v, want %v", err, d)
		}
		err := receive(t, visit.cause, "the handler's context")
		if err != error(d) && !(k.races && err == context.Canceled) {
			t.Errorf("cause of the handler's context: %v, want %v", err, d)
		}
		if err := receive(t, answer, "the client"); err == nil {
			t.Error("the client got an answer")
		}
		receive(t, s.ended, "the handler's end")
		visit.notFired(t)
	})
}

// H3: no client that gets its answer has left, on a connection that is kept and on
// one that ends with the answer.
func TestStack_completion(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		visit := newVisit()
		s := v.start(t, k.handler(func(c call) {
			_, err := httpwire.OnDisconnect(c.r, func(d *httpwire.Disconnect) { visit.fired <- d })
			if err != nil {
				t.Error(err)
			}
			c.ok()
		}, time.Hour), true)
		for i := range 20 {
			kept := s.client(t)
			for range 2 {
				ctx, stop := context.WithTimeout(context.Background(), bound)
				if err := k.do(ctx, kept, s.url); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
				stop()
				kept.CloseIdleConnections()
			}
		}
		for range 40 {
			receive(t, s.ended, "a handler's end")
		}
		visit.notFired(t)
	})
}

// H3: a limit that the middleware sets, or that the client asks it to, is none of the
// client's leaving.
func TestStack_limitIsNoDisconnect(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		if k.noLimit {
			return
		}
		limit := 30 * time.Millisecond
		visit := newVisit()
		s := v.start(t, k.handler(visit.serve, limit), true)
		ctx, stop := context.WithTimeout(context.Background(), bound)
		defer stop()
		err := k.do(ctx, s.client(t, k.limit...), s.url)
		if err == nil || ctx.Err() != nil {
			t.Errorf("the client got %v, want an answer that it was too late", err)
		}
		must(t, receive(t, visit.ready, "the handler"))
		if err := receive(t, visit.cause, "the handler's context"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, httpwire.ErrDisconnected) {
			t.Errorf("cause = %v, want a deadline", err)
		}
		receive(t, s.ended, "the handler's end")
		visit.notFired(t)
	})
}
