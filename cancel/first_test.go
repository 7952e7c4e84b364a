package cancel_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/cancel"
)

// C2, C3, C4: the callback of who has a token alone starts once if the token is cancelled later, and not if it is
// stopped or the token completed.
func TestFirstCallback(t *testing.T) {
	never := func(error) { t.Error("a callback started that must not") }
	for name, test := range map[string]struct {
		after  func(*cancel.Token, cancel.Registration)
		starts bool
	}{
		"cancelled": {after: func(tok *cancel.Token, _ cancel.Registration) { tok.Cancel(errGone) }, starts: true},
		"completed and stopped": {after: func(tok *cancel.Token, r cancel.Registration) {
			tok.Complete()
			if r.Stop() || r.StopAndWait() {
				t.Error("Stop prevented what the completion had prevented")
			}
		}},
		"completed": {after: func(tok *cancel.Token, _ cancel.Registration) {
			tok.Complete()
			tok.Cancel(errGone)
		}},
		"stopped": {after: func(tok *cancel.Token, r cancel.Registration) {
			if !r.Stop() || r.Stop() || r.StopAndWait() {
				t.Error("Stop did not prevent it exactly once")
			}
			tok.Cancel(errGone)
		}},
		"stopped, waiting": {after: func(tok *cancel.Token, r cancel.Registration) {
			if !r.StopAndWait() || r.Stop() {
				t.Error("StopAndWait did not prevent it exactly once")
			}
			tok.Cancel(errGone)
		}},
		"stopped by who has the token": {after: func(tok *cancel.Token, r cancel.Registration) {
			if !tok.StopFirst() || r.Stop() {
				t.Error("Stop did not prevent it exactly once")
			}
			tok.Cancel(errGone)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var tok cancel.Token
			f, ran := never, make(chan error, 2)
			if test.starts {
				f = func(cause error) { ran <- cause }
			}
			r, ok := tok.OnCancelFirst(f)
			if !ok {
				t.Fatal("the place is taken")
			}
			if _, ok := tok.OnCancelFirst(never); ok {
				t.Error("two places")
			}
			test.after(&tok, r)
			if test.starts {
				if cause := within(t, "the callback", ran); cause != errGone {
					t.Errorf("cause %v", cause)
				}
			}
			tok.Drain()
			if len(ran) != 0 {
				t.Error("started twice")
			}
			if _, ok := tok.FirstStarted(); ok != test.starts {
				t.Errorf("started: %v", ok)
			}
			tok.ForgetFirst()
			if !tok.StopFirst() {
				t.Error("the place is taken, though it was forgotten")
			}
		})
	}
}

// A token that is decided has no place for a callback: OnCancel serves.
func TestFirstCallback_decided(t *testing.T) {
	for _, decide := range []func(*cancel.Token){
		func(tok *cancel.Token) { tok.Cancel(errGone) }, func(tok *cancel.Token) { tok.Complete() },
	} {
		var tok cancel.Token
		decide(&tok)
		if _, ok := tok.OnCancelFirst(func(error) { t.Error("started") }); ok || !tok.StopFirst() {
			t.Error("registered")
		}
	}
}

// C5: a callback that has started is waited for, and its place is taken until it is forgotten.
func TestFirstCallback_stopAndWait(t *testing.T) {
	var tok cancel.Token
	running, release := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	var self cancel.Registration
	registered := make(chan struct{})
	r, _ := tok.OnCancelFirst(func(error) {
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
	if _, ok := tok.OnCancelFirst(func(error) {}); ok || tok.StopFirst() || r.Stop() {
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
	if again, ok := tok.FirstStarted(); !ok || again.StopAndWait() {
		t.Error("who has the token finds nothing to wait for")
	}
}

// C7: its panic is delivered once.
func TestFirstCallback_panics(t *testing.T) {
	var tok cancel.Token
	r, _ := tok.OnCancelFirst(func(error) { panic(errGone) })
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
}

// A registration that is over does not act on the next one: of the same token, in either of its places,
// and in its next life.
func TestFirstCallback_stale(t *testing.T) {
	var tok cancel.Token
	var old []cancel.Registration
	register := func(f func(error)) {
		r, ok := tok.OnCancelFirst(f)
		if !ok {
			t.Fatal("the place is taken")
		}
		for _, o := range old {
			if o == r || o.Stop() || o.StopAndWait() {
				t.Fatal("a stale registration stopped the next one")
			}
		}
		old = append(old, r)
	}
	ran := make(chan error, 1)
	for range 3 {
		for i := range 4 {
			register(func(error) { t.Error("a stopped one ran") })
			if i%2 == 0 && !old[len(old)-1].Stop() || !tok.StopFirst() {
				t.Error("not stopped")
			}
		}
		register(func(cause error) { ran <- cause })
		tok.Cancel(errGone)
		if cause := within(t, "the callback", ran); cause != errGone {
			t.Errorf("cause %v", cause)
		}
		tok.Drain()
		tok.Close()
		tok.Reset()
	}
}

// C5: who waits for the first callback waits for no other, in this life of the token and the next.
func TestFirstCallback_besideOthers(t *testing.T) {
	var tok cancel.Token
	for i := range 3 {
		release := make(chan struct{})
		if i > 0 { // else the first callback has the node that the other one has later
			tok.OnCancel(func(error) { <-release })
		}
		r, _ := tok.OnCancelFirst(func(error) {})
		tok.Cancel(errGone)
		for cancel.Running(&tok) > min(i, 1) {
			runtime.Gosched()
		}
		over := make(chan bool)
		go func() { over <- r.StopAndWait() }()
		within(t, "the first callback, which has ended", over)
		close(release)
		tok.Drain()
		tok.Close()
		tok.Reset()
	}
}

// A settingThread is a FlagSetter that has set the word, and tells Go when it is asked.
type settingThread struct{ tok *cancel.Token }

func (settingThread) FlagMade(f cancel.Flag) { atomic.StoreUint64((*uint64)(f.Pointer()), 1) }
func (s settingThread) FlagSet()             { s.tok.Cancel(errGone) }

// C3: a call whose flag has been set, and which ends before Go knows, starts its callback.
func TestFirstCallback_flagSetAhead(t *testing.T) {
	for name, end := range map[string]func(*cancel.Token) bool{
		"StopFirst": (*cancel.Token).StopFirst, "ReleaseKept": (*cancel.Token).ReleaseKept,
	} {
		var tok cancel.Token
		tok.SetFlagSetter(settingThread{&tok})
		tok.AcquireKept()
		ran := make(chan error, 1)
		tok.OnCancelFirst(func(cause error) { ran <- cause })
		tok.Flag()
		if end(&tok) {
			t.Fatalf("%s: ended, though the flag was set", name)
		}
		within(t, "the callback", ran)
		tok.Drain()
		tok.ForgetFirst()
		if !tok.ReleaseKept() {
			t.Error("the loan has not ended")
		}
		tok.Close()
		tok.Reset()
	}
}

// What a loan's callback holds is kept until the next loan, or until the token is closed.
func TestFirstCallback_forgotten(t *testing.T) {
	for name, end := range map[string]func(*cancel.Token){
		"stopped": func(tok *cancel.Token) { tok.AcquireKept(); tok.StopFirst(); tok.ReleaseKept() },
		"next": func(tok *cancel.Token) {
			tok.ReleaseKept()
			tok.AcquireKept()
		},
		"closed": func(tok *cancel.Token) { tok.ReleaseKept(); tok.Close() },
	} {
		var tok cancel.Token
		gone := make(chan struct{})
		func() {
			big := new([1 << 16]byte)
			runtime.AddCleanup(big, func(int) { close(gone) }, 0)
			tok.AcquireKept()
			tok.OnCancelFirst(func(error) { big[0]++ })
			end(&tok)
		}()
		for collected := false; !collected; {
			runtime.GC()
			select {
			case <-gone:
				collected = true
			case <-t.Context().Done():
				t.Fatalf("%s: kept", name)
			default:
			}
		}
		runtime.KeepAlive(&tok)
	}
}

// C1, C2, C3, N3, N4: a token is lent to call after call, and lives again, while cancels meet
// every moment. Each callback starts at most once, on a cancel of its own token's life, and not after it
// was stopped; and it does start where its call has seen the cancel.
func TestFirstCallback_race(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	tok, started := new(cancel.Token), 0
	for i := range n {
		cancelled := make(chan struct{})
		go func() {
			defer close(cancelled)
			for range i % 8 {
				runtime.Gosched()
			}
			if i%16 != 15 {
				tok.Cancel(errGone)
			}
		}()
		for j := range 1 + i%5 { // calls under one token
			if oneFirst(t, tok, i+j, i%4 == 1 && i%16 != 15) {
				started++
			}
		}
		<-cancelled
		tok.Close()
		tok.Drain()
		tok.Reset()
	}
	t.Logf("%d of %d started", started, n)
	if started == 0 {
		t.Error("none was cancelled in time")
	}
}

// oneFirst registers a callback and ends it as a call does, perhaps as soon as it has seen the
// cancel, and reports whether it started.
func oneFirst(t *testing.T, tok *cancel.Token, i int, awaits bool) bool {
	place, ok := tok.AcquireKept()
	if !ok || place == nil {
		t.Fatal("the token is not lent")
	}
	var starts, over atomic.Int32
	ran := make(chan struct{}, 2)
	r, ok := tok.OnCancelFirst(func(error) {
		defer func() { ran <- struct{}{} }()
		if starts.Add(1) != 1 || over.Load() != 0 || !tok.Cancelled() {
			t.Error("started twice, late, or without a cancel")
		}
	})
	if !ok && !tok.Cancelled() {
		t.Fatal("the place is taken")
	}
	for range i % 5 {
		runtime.Gosched()
	}
	for awaits && !tok.Cancelled() {
		runtime.Gosched()
	}
	prevented := i%7 == 0 && r.Stop()
	seen := ok && !prevented && tok.Cancelled()
	if seen && i%2 == 1 {
		within(t, "the callback, of a call that does not end", ran)
	}
	if i%3 == 0 && !tok.StopFirst() || !tok.ReleaseKept() {
		if r, ok := tok.FirstStarted(); ok {
			r.StopAndWait()
		} else if !prevented {
			t.Error("neither stopped nor started")
		}
		tok.ForgetFirst()
		if !tok.ReleaseKept() {
			t.Error("the loan has not ended")
		}
	} else if seen {
		t.Error("stopped, though the cancel was seen")
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
