package cancel_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

var errGone = errors.New("gone")

// C1: the first decision wins and later ones report that they lost.
func TestToken_decidedOnce(t *testing.T) {
	var tok cancel.Token
	if tok.Cancelled() || tok.Completed() || tok.Cause() != nil || tok.Err() != nil {
		t.Fatal("a zero Token is not live")
	}
	if !tok.Cancel(errGone) || tok.Cancel(errors.New("later")) || tok.Complete() {
		t.Fatal("after the first Cancel, Cancel or Complete won too")
	}
	if !tok.Cancelled() || tok.Completed() || tok.Cause() != errGone || tok.Err() != context.Canceled {
		t.Fatalf("cancelled token: cause %v, err %v", tok.Cause(), tok.Err())
	}

	var done cancel.Token
	if !done.Complete() || done.Complete() || done.Cancel(errGone) {
		t.Fatal("after the first Complete, Cancel or Complete won too")
	}
	if done.Cancelled() || !done.Completed() || done.Cause() != nil || done.Err() != nil {
		t.Fatal("a completed Token looks cancelled")
	}
}

// C1: a nil cause and a deadline look as they do in package context.
func TestToken_causes(t *testing.T) {
	var plain, late cancel.Token
	plain.Cancel(nil)
	if plain.Cause() != context.Canceled {
		t.Errorf("nil cause became %v", plain.Cause())
	}
	late.Cancel(context.DeadlineExceeded)
	if late.Err() != context.DeadlineExceeded {
		t.Errorf("a deadline's Err is %v", late.Err())
	}
}

// C1 and C2 under contention: with many deciders at once exactly one wins, and
// every callback starts once if a Cancel won and not at all if Complete did.
func TestToken_decidedOnce_race(t *testing.T) {
	const deciders = 8
	for range 2000 {
		var tok cancel.Token
		var calls atomic.Int32
		tok.OnCancel(func(error) { calls.Add(1) })
		var wins atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range deciders {
			wg.Go(func() {
				<-start
				if i%2 == 0 && tok.Cancel(errGone) || i%2 == 1 && tok.Complete() {
					wins.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		tok.Close()
		tok.Drain()
		want := int32(0)
		if tok.Cancelled() {
			want = 1
		}
		if wins.Load() != 1 || calls.Load() != want {
			t.Fatalf("%d deciders won, callback ran %d times, want %d", wins.Load(), calls.Load(), want)
		}
	}
}

// C2: each callback starts at most once, with the cause.
func TestToken_callbackOnce(t *testing.T) {
	var tok cancel.Token
	got := make(chan error, 10)
	for range 3 {
		tok.OnCancel(func(cause error) { got <- cause })
	}
	for range 3 {
		tok.Cancel(errGone)
	}
	tok.Drain()
	if len(got) != 3 {
		t.Fatalf("3 callbacks, %d calls", len(got))
	}
	if cause := <-got; cause != errGone {
		t.Fatalf("cause is %v", cause)
	}
}

// C3: once Complete has won, no callback starts.
func TestToken_completeWins(t *testing.T) {
	var tok cancel.Token
	tok.OnCancel(func(error) { t.Error("callback after Complete") })
	tok.Complete()
	tok.Cancel(errGone)
	tok.OnCancel(func(error) { t.Error("late callback after Complete") })
	tok.Drain()
	select {
	case <-tok.Done():
		t.Error("Done closed by Complete")
	default:
	}
}

// C4: registering on a cancelled token runs the callback at once, and not on the
// caller's goroutine: the caller's lock is free for it only afterwards.
func TestToken_lateRegistration(t *testing.T) {
	var tok cancel.Token
	tok.Cancel(errGone)
	var mu sync.Mutex
	ran := make(chan error)
	mu.Lock()
	tok.OnCancel(func(cause error) {
		mu.Lock()
		defer mu.Unlock()
		ran <- cause
	})
	mu.Unlock()
	if cause := within(t, "the late callback", ran); cause != errGone {
		t.Fatalf("cause is %v", cause)
	}
	tok.Drain()
}

// C4: on a closed token nothing starts, cancelled or not: the owner has gone.
func TestToken_registrationAfterClose(t *testing.T) {
	var tok cancel.Token
	tok.Cancel(errGone)
	tok.Close()
	r := tok.OnCancel(func(error) { t.Error("callback after Close") })
	if r.Stop() || r.StopAndWait() {
		t.Error("stopped what was never registered")
	}
	tok.Drain()
}

// C4: but for a borrower of a cancelled token, whose call goes on, it does start:
// otherwise the end of a request would be lost on a call that outlives it.
func TestToken_registrationByBorrower(t *testing.T) {
	var tok cancel.Token
	tok.Acquire()
	tok.Cancel(errGone)
	tok.Close()
	ran := make(chan error, 1)
	r := tok.OnCancel(func(cause error) { ran <- cause })
	within(t, "the borrower's callback", ran)
	r.StopAndWait()
	tok.Release()
	tok.OnCancel(func(error) { t.Error("callback after the last Release") })
	tok.Drain()
}

// Who sees Err sees Done closed and the right cause, as with the standard
// library's contexts, although Cancel decides before it closes Done.
func TestToken_errAfterDone(t *testing.T) {
	for range 20_000 {
		var tok cancel.Token
		ctx := cancel.NewContext(context.Background(), &tok)
		done := ctx.Done()
		go tok.Cancel(errGone)
		for ctx.Err() == nil {
			runtime.Gosched()
		}
		select {
		case <-done:
		default:
			t.Fatal("Err is set and Done open")
		}
		if cause := context.Cause(ctx); cause != errGone {
			t.Fatalf("cause is %v", cause)
		}
	}
}

// Close completes a live token and may be called again.
func TestToken_closeCompletes(t *testing.T) {
	var tok cancel.Token
	tok.OnCancel(func(error) { t.Error("callback after Close") })
	tok.Close()
	tok.Close()
	if !tok.Completed() || tok.Cancel(errGone) || tok.Acquire() {
		t.Error("a closed token is not over")
	}
}

// C8: a live token costs no goroutine, and registering and stopping allocate
// nothing in steady state.
func TestToken_idleIsFree(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop items on purpose")
	}
	synctest.Test(t, func(t *testing.T) {
		// In a bubble, a goroutine left behind is a deadlock that fails the test.
		var tok cancel.Token
		f := func(error) {}
		tok.OnCancel(f).Stop()
		allocs := testing.AllocsPerRun(1000, func() {
			a, b := tok.OnCancel(f), tok.OnCancel(f)
			if !b.Stop() || !a.StopAndWait() {
				t.Fatal("not stopped")
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
		tok.Complete()
	})
}

// A context derived from a token's, with a deadline of its own, obeys both, and
// needs no goroutine for it.
func TestContext_derived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tok cancel.Token
		ctx := cancel.NewContext(context.WithValue(t.Context(), key(1), "v"), &tok)
		first, stop1 := context.WithTimeout(ctx, time.Second)
		defer stop1()
		second, stop2 := context.WithTimeout(context.WithValue(ctx, key(2), "w"), time.Hour)
		defer stop2()

		time.Sleep(time.Second) // the bubble's clock
		synctest.Wait()
		if first.Err() != context.DeadlineExceeded || second.Err() != nil || tok.Cancelled() {
			t.Errorf("after the timeout: %v, %v", first.Err(), second.Err())
		}
		tok.Cancel(errGone)
		if second.Err() == nil || context.Cause(second) != errGone || context.Cause(ctx) != errGone {
			t.Errorf("after Cancel: %v, cause %v", second.Err(), context.Cause(second))
		}
		if second.Value(key(1)) != "v" || second.Value(key(2)) != "w" {
			t.Error("values lost")
		}
	})
}

type key int

// FromContext finds the token that governs a context, and no other.
func TestFromContext(t *testing.T) {
	var tok cancel.Token
	ctx := cancel.NewContext(t.Context(), &tok)
	derived, stop := context.WithCancel(ctx)
	defer stop()
	timeout, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want *cancel.Token
	}{
		{"its own", ctx, &tok},
		{"a value away", context.WithValue(ctx, key(1), 1), &tok},
		{"with a cancel of its own", derived, nil},
		{"with a deadline of its own", timeout, nil},
		{"without cancel", context.WithoutCancel(ctx), nil},
		{"background", context.Background(), nil},
	} {
		if got := cancel.FromContext(tt.ctx); got != tt.want {
			t.Errorf("%s: %p, want %p", tt.name, got, tt.want)
		}
	}
}

func TestPlain(t *testing.T) {
	var tok cancel.Token
	plain, stop := context.WithCancelCause(cancel.NewContext(t.Context(), &tok))
	defer stop(nil)
	timeout, cancelTimeout := context.WithTimeout(plain, time.Hour)
	defer cancelTimeout()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want bool
	}{
		{"with cancel", plain, true},
		{"a value away", context.WithValue(plain, key(1), 1), false},
		{"with a deadline", timeout, false},
		{"a token's", cancel.NewContext(t.Context(), &tok), false},
		{"background", context.Background(), false},
		{"none", nil, false},
	} {
		if got := cancel.Plain(tt.ctx); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
		if tt.want && (cancel.Standard(tt.ctx) != tt.ctx || cancel.FromContext(tt.ctx) != nil) {
			t.Errorf("%s: is not its own standard context, or has a token", tt.name)
		}
	}
}

// Standard returns a context of the standard library's or none, also where a foreign one answers every
// key, with itself: its methods would be called where no foreign code may run.
func TestStandard_foreign(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	timeout, cancelTimeout := context.WithTimeout(ctx, time.Hour)
	defer cancelTimeout()
	if std := cancel.Standard(timeout); !cancel.Plain(std) || std.Done() != timeout.Done() {
		t.Errorf("of a deadline's: %v", std)
	}
	if std := cancel.Standard(context.WithValue(ctx, key(1), 1)); std != ctx {
		t.Errorf("a value away: %v", std)
	}
	for name, foreign := range map[string]answering{"itself": {Context: ctx}, "another": {ctx, timeout}} {
		if std := cancel.Standard(foreign); std != nil {
			t.Errorf("%s: %v, want none", name, std)
		}
	}
}

// An answering context answers every key with one context, or with itself.
type answering struct {
	context.Context
	with context.Context
}

func (a answering) Value(any) any {
	if a.with == nil {
		return a
	}
	return a.with
}

// Done made after Cancel is closed; made before, it is closed by Cancel.
func TestToken_done(t *testing.T) {
	var before, after cancel.Token
	ch := before.Done()
	before.Cancel(errGone)
	within(t, "Done made before Cancel", ch)
	after.Cancel(errGone)
	gone, stop := context.WithCancel(t.Context())
	stop()
	for _, parent := range []context.Context{t.Context(), context.Background(), gone} {
		if cause := context.Cause(cancel.NewContext(parent, &after)); cause != errGone {
			t.Errorf("cause is %v", cause)
		}
	}
	within(t, "Done made after Cancel", after.Done())
}

// Reset makes a closed token usable again; what was registered before stays
// away, and its registration can't stop what is registered now.
func TestToken_reset(t *testing.T) {
	var tok cancel.Token
	old := tok.OnCancel(func(error) { t.Error("callback of an earlier life") })
	tok.Close()
	tok.Reset()
	ran := make(chan error, 1)
	tok.OnCancel(func(cause error) { ran <- cause })
	if old.Stop() || old.StopAndWait() {
		t.Error("an old registration stopped something")
	}
	if !tok.Cancel(errGone) {
		t.Fatal("a reset token is not live")
	}
	within(t, "the callback", ran)
	tok.Drain()

	defer func() {
		if recover() == nil {
			t.Error("Reset of a token in use did not panic")
		}
	}()
	tok.Reset()
}
