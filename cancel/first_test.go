package cancel_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/cancel"
)

// C2, C3, C4: the callback in a place of its own starts once if the token is cancelled, before or after,
// and not if it is stopped or the token completed.
func TestFirstCallback(t *testing.T) {
	never := func(error) { t.Error("a callback started that must not") }
	for name, test := range map[string]struct {
		before, after func(*cancel.Token, *cancel.FirstCallback, cancel.Registration)
		starts        bool
	}{
		"cancelled":        {after: func(tok *cancel.Token, _ *cancel.FirstCallback, _ cancel.Registration) { tok.Cancel(errGone) }, starts: true},
		"cancelled before": {before: func(tok *cancel.Token, _ *cancel.FirstCallback, _ cancel.Registration) { tok.Cancel(errGone) }, starts: true},
		"completed before": {before: func(tok *cancel.Token, _ *cancel.FirstCallback, _ cancel.Registration) { tok.Complete() }},
		"completed": {after: func(tok *cancel.Token, _ *cancel.FirstCallback, _ cancel.Registration) {
			tok.Complete()
			tok.Cancel(errGone)
		}},
		"stopped": {after: func(tok *cancel.Token, _ *cancel.FirstCallback, r cancel.Registration) {
			if !r.Stop() || r.Stop() || r.StopAndWait() {
				t.Error("Stop did not prevent it exactly once")
			}
			tok.Cancel(errGone)
		}},
		"stopped, waiting": {after: func(tok *cancel.Token, _ *cancel.FirstCallback, r cancel.Registration) {
			if !r.StopAndWait() || r.Stop() {
				t.Error("StopAndWait did not prevent it exactly once")
			}
			tok.Cancel(errGone)
		}},
		"stopped by its place": {after: func(tok *cancel.Token, p *cancel.FirstCallback, r cancel.Registration) {
			if !p.Stop(tok) || r.Stop() {
				t.Error("Stop did not prevent it exactly once")
			}
			tok.Cancel(errGone)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var tok cancel.Token
			var p cancel.FirstCallback
			f, ran := never, make(chan error, 2)
			if test.starts {
				f = func(cause error) { ran <- cause }
			}
			if test.before != nil {
				test.before(&tok, &p, cancel.Registration{})
			}
			r, ok := tok.OnCancelFirst(&p, f)
			if !ok {
				t.Fatal("the place is taken")
			}
			if test.after != nil {
				test.after(&tok, &p, r)
			}
			if test.starts {
				if cause := within(t, "the callback", ran); cause != errGone {
					t.Errorf("cause %v", cause)
				}
			}
			tok.Drain()
			if len(ran) != 0 {
				t.Error("started twice")
			}
			if _, ok := p.Started(&tok); ok != test.starts {
				t.Errorf("started: %v", ok)
			}
		})
	}
}

// C5: a callback that has started is waited for, and its place is taken until it is freed.
func TestFirstCallback_stopAndWait(t *testing.T) {
	var tok cancel.Token
	var p cancel.FirstCallback
	running, release := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	var self cancel.Registration
	registered := make(chan struct{})
	r, _ := tok.OnCancelFirst(&p, func(error) {
		<-registered
		if self.StopAndWait() { // of itself: at once
			t.Error("prevented what was running")
		}
		close(running)
		<-release
		ended.Store(true)
	})
	self = r
	close(registered)
	tok.Cancel(errGone)
	within(t, "the callback to start", running)
	if _, ok := tok.OnCancelFirst(&p, func(error) {}); ok || p.Stop(&tok) || r.Stop() {
		t.Error("the place of a running callback is vacant")
	}
	waited := make(chan bool)
	go func() {
		r.StopAndWait()
		waited <- ended.Load()
	}()
	close(release)
	if !within(t, "StopAndWait", waited) {
		t.Error("StopAndWait returned before the callback")
	}
	p.Free()
	if !p.Stop(&tok) {
		t.Error("the place is not vacant when freed")
	}
}

// C7: its panic is delivered once.
func TestFirstCallback_panics(t *testing.T) {
	var tok cancel.Token
	var p cancel.FirstCallback
	r, _ := tok.OnCancelFirst(&p, func(error) { panic(errGone) })
	tok.Cancel(errGone)
	got := func() (v any) {
		defer func() { v = recover() }()
		r.StopAndWait()
		return nil
	}
	if err, _ := got().(error); !errors.Is(err, errGone) {
		t.Errorf("panic %v", err)
	}
	if v := got(); v != nil {
		t.Errorf("again: %v", v)
	}
	p.Free()
}

// A registration that was stopped does not act on the next one in its place.
func TestFirstCallback_stale(t *testing.T) {
	var tok, other cancel.Token
	var p cancel.FirstCallback
	ran := make(chan error, 1)
	old, _ := tok.OnCancelFirst(&p, func(error) { t.Error("the stopped one ran") })
	p.Stop(&tok)
	tok.Close()
	tok.Reset() // its next life has no place yet
	r, _ := other.OnCancelFirst(&p, func(cause error) { ran <- cause })
	if old.Stop() || old.StopAndWait() {
		t.Error("a stale registration stopped the next one")
	}
	tok.Cancel(errors.New("other")) // the place is not its any more
	other.Cancel(errGone)
	if cause := within(t, "the callback", ran); cause != errGone {
		t.Errorf("cause %v", cause)
	}
	r.StopAndWait()
}

// C2, C3, N3, N4: one place goes from call to call, and from token to token, while cancels meet
// every moment. Each callback starts at most once, on its own token's cancel, and not after it was stopped;
// and it does start where its call has seen the cancel.
func TestFirstCallback_race(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	var p cancel.FirstCallback
	started := 0
	for i := range n {
		tok := new(cancel.Token)
		tok.Acquire()
		cancelled := make(chan struct{})
		go func() {
			defer close(cancelled)
			for range i % 8 {
				runtime.Gosched()
			}
			tok.Cancel(errGone)
		}()
		for range 1 + i%3 { // calls under one token
			if oneFirst(t, tok, &p, i, i%4 == 1) {
				started++
			}
		}
		tok.Release()
		tok.Close() // from here on the place is not tok's
		quiet := new(cancel.Token)
		if oneFirst(t, quiet, &p, i, false) {
			t.Fatal("the cancel of one token started the callback of another")
		}
		<-cancelled
		tok.Drain()
	}
	t.Logf("%d of %d started", started, n)
	if started == 0 {
		t.Error("none was cancelled in time")
	}
}

// oneFirst registers a callback and ends it as a call does, perhaps as soon as it has seen the
// cancel, and reports whether it started.
func oneFirst(t *testing.T, tok *cancel.Token, p *cancel.FirstCallback, i int, awaits bool) bool {
	var starts, over atomic.Int32
	r, ok := tok.OnCancelFirst(p, func(error) {
		if starts.Add(1) != 1 || over.Load() != 0 || !tok.Cancelled() {
			t.Error("started twice, late, or without a cancel")
		}
	})
	if !ok {
		t.Fatal("the place is taken")
	}
	for range i % 5 {
		runtime.Gosched()
	}
	for awaits && !tok.Cancelled() {
		runtime.Gosched()
	}
	prevented := i%7 == 0 && r.Stop()
	seen := !prevented && tok.Cancelled()
	if !p.Stop(tok) {
		r, _ := p.Started(tok)
		r.StopAndWait()
		p.Free()
	}
	over.Store(1)
	if prevented && starts.Load() != 0 {
		t.Error("started though it was stopped")
	}
	if seen && starts.Load() == 0 {
		t.Error("the cancel was seen, and its callback never came")
	}
	return starts.Load() != 0
}
