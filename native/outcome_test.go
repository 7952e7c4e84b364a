//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A codeError is what C said, in the way of most bindings.
type codeError struct{ code int }

func (e codeError) Error() string { return fmt.Sprintf("code %d", e.code) }

// A goneError is a cause with more to say.
type goneError struct{ at time.Time }

func (e *goneError) Error() string   { return "gone" }
func (e *goneError) When() time.Time { return e.at }

// cancellable is a context of each kind, and its end for a cause of the test's own.
func cancellable(t *testing.T, kind string) (context.Context, func(error)) {
	t.Helper()
	if kind == "standard" {
		ctx, stop := context.WithCancelCause(context.Background())
		t.Cleanup(func() { stop(nil) })
		return ctx, func(cause error) { stop(cause) }
	}
	tok := new(cancel.Token)
	t.Cleanup(tok.Close)
	ctx := cancel.NewContext(context.Background(), tok)
	if kind == "derived" {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, long)
		t.Cleanup(stop)
	}
	return ctx, func(cause error) { tok.Cancel(cause) }
}

// N2: for each outcome the error, the receipt and the figures say the same, and errors.Is and
// errors.As find the cause and what C said.
func TestN2_outcomes(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for kind := range contexts(t) {
			for _, before := range []bool{false, true} { // cancelled before
				for _, during := range []bool{false, true} {
					for _, failed := range []bool{false, true} {
						testOutcome(t, do, kind, before, during, failed)
					}
				}
			}
		}
	})
}

func testOutcome(t *testing.T, do doFunc, kind string, before, during, failed bool) {
	t.Helper()
	ctx, stop := cancellable(t, kind)
	cause := &goneError{time.Now()}
	if before {
		stop(cause)
	}
	var got []native.Receipt
	ctx = native.WithTrace(ctx, &native.Trace{Done: func(r native.Receipt) { got = append(got, r) }})
	v, err := do(ctx, func(c *native.Call) (int, error) {
		if during {
			stop(cause)
			waitFlag(t, c)
		}
		if failed {
			return 1, codeError{7}
		}
		return 1, nil
	})
	var want native.Outcome
	switch {
	case before:
		want = native.NotStarted
	case during && failed:
		want = native.Cancelled
	case during:
		want = native.CompletedDespiteCancel
	default:
		want = native.Completed
	}
	name := fmt.Sprintf("%s, %v, failed %v", kind, want, failed)
	if len(got) != 1 || got[0].Outcome != want || got[0].Err != err || got[0].Panicked {
		t.Errorf("%s: receipts %+v", name, got)
		return
	}
	cancelled := want != native.Completed
	if (got[0].Cause == error(cause)) != cancelled || got[0].Noticed.Equal(cause.at) != cancelled {
		t.Errorf("%s: cause %v, noticed %v", name, got[0].Cause, got[0].Noticed)
	}
	var ne *native.Error
	var ce codeError
	var ge *goneError
	isOurs := want == native.NotStarted || want == native.Cancelled
	if errors.As(err, &ne) != isOurs || isOurs && ne.Outcome() != want ||
		errors.As(err, &ge) != isOurs || errors.Is(err, cause) != isOurs || errors.Is(err, context.Canceled) != isOurs {
		t.Errorf("%s: the cause in %v", name, err)
	}
	if errors.As(err, &ce) != (failed && !before) || (v == 1) != !before {
		t.Errorf("%s: what C said in %d, %v", name, v, err)
	}
}

// N2: a cancel that comes between the function's return and Do's is nobody's: error,
// receipt and figures are one decision.
func TestN2_outcomes_race(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	p := &native.Pool{Name: "race"}
	var want native.Stats
	cancels, canceller := make3[func(error)](), make2()
	go func() {
		for stop := range cancels {
			stop(errGone)
			canceller <- struct{}{}
		}
	}()
	defer close(cancels)
	for i := range n {
		ctx, stop := oneContext("standard")
		if i%2 == 0 {
			ctx, stop = oneContext("token")
		}
		var r native.Receipt
		traced := native.WithTrace(ctx, &native.Trace{Done: func(x native.Receipt) { r = x }})
		_, err := native.DoIn(traced, p, func(c *native.Call) (int, error) {
			cancels <- func(cause error) { stop(cause) }
			for range i % 512 { // meet it at every moment
				c.Cancelled()
			}
			if i%3 == 0 { // one processor
				runtime.Gosched()
			}
			if i%4 < 2 {
				return 0, codeError{1}
			}
			return 1, nil
		})
		<-canceller
		stop(nil)
		switch r.Outcome {
		case native.Completed:
			want.Completed++
		case native.Cancelled:
			want.Cancelled++
		case native.CompletedDespiteCancel:
			want.CompletedDespiteCancel++
		}
		if isCancelled := r.Outcome == native.Cancelled; errors.Is(err, errGone) != isCancelled || r.Err != err ||
			(r.Cause != nil) != (r.Outcome != native.Completed) || !r.FlagSet.IsZero() != (r.Cause != nil) {
			t.Fatalf("error %v, receipt %+v", err, r)
		}
	}
	closePool(t, p)
	if s := p.Stats(); s.Completed != want.Completed || s.Cancelled != want.Cancelled || s.CompletedDespiteCancel != want.CompletedDespiteCancel {
		t.Errorf("figures %+v, receipts %+v", s, want)
	}
	t.Logf("%+v", want)
}

// N2: the cause that a context's deadline was given is that of a call whose C honoured the
// deadline by itself, ahead of Go's timer or not; and it counts as cancelled.
func TestN2_deadlineCause(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C is not told of deadlines")
	}
	defer native.SetTimerPatience(time.Minute)()
	budget := errors.New("budget spent")
	p := &native.Pool{Name: "deadlines"}
	const calls = 20
	for range calls {
		ctx, stop := context.WithDeadlineCause(context.Background(), time.Now().Add(time.Millisecond), budget)
		var r native.Receipt
		ctx = native.WithTrace(ctx, &native.Trace{Done: func(x native.Receipt) { r = x }})
		_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
			return 0, nativetest.UntilExpired(c.Flag().Pointer(), long, nil)
		})
		stop()
		var ne *native.Error
		if !errors.As(err, &ne) || ne.Cause != budget || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if r.Cause != budget || r.Outcome != native.Cancelled && r.Outcome != native.NotStarted {
			t.Errorf("receipt %+v", r)
		}
	}
	closePool(t, p)
	if s := p.Stats(); s.Completed != 0 || s.CompletedDespiteCancel != 0 {
		t.Errorf("figures %+v", s)
	}
}

// N2: so does that of a request's own token, whose deadline its owner has put beside the flag.
func TestN2_requestDeadline(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C is not told of deadlines")
	}
	budget, early := errors.New("budget used up"), errors.New("early")
	for name, ends := range map[string]bool{"in time": true, "timer late": false} {
		patience := map[bool]time.Duration{true: time.Minute, false: time.Millisecond}[ends]
		defer native.SetTimerPatience(patience)()
		bothWays(t, func(t *testing.T, do doFunc) {
			under := func(d time.Time, fn func(*cancel.Token, *native.Call) error) error {
				parent, stop := context.WithDeadline(t.Context(), d)
				defer stop()
				var tok cancel.Token
				defer tok.Close()
				tok.Flag().SetDeadline(d)
				_, err := do(cancel.NewContext(parent, &tok), func(c *native.Call) (int, error) { return 0, fn(&tok, c) })
				return err
			}
			if err := under(time.Now().Add(time.Hour), func(*cancel.Token, *native.Call) error { return early }); err != early {
				t.Errorf("before the deadline: %v", err)
			}
			err := under(time.Now().Add(time.Millisecond), func(tok *cancel.Token, c *native.Call) error {
				nativetest.UntilExpired(c.Flag().Pointer(), long, nil)
				if ends {
					time.AfterFunc(time.Millisecond, func() { tok.Cancel(budget) })
				}
				return errOther
			})
			var ne *native.Error
			if !errors.As(err, &ne) || ne.Outcome() != native.Cancelled || !errors.Is(err, errOther) {
				t.Fatalf("%s: %v", name, err)
			}
			if want := map[bool]error{true: budget, false: context.DeadlineExceeded}[ends]; ne.Cause != want {
				t.Errorf("%s: %v, not %v", name, ne.Cause, want)
			}
		})
	}
}

// A lateContext has a deadline that is over, and ends only then when told to.
type lateContext struct {
	context.Context
	late func() // called when somebody looks at the deadline
}

func (c lateContext) Deadline() (time.Time, bool) {
	c.late()
	return time.Now().Add(-time.Hour), true
}

// N2: the same where the timer is late for certain: its cause is waited for, though not
// for ever.
func TestN2_deadlineCause_lateTimer(t *testing.T) {
	budget := errors.New("budget spent")
	bothWays(t, func(t *testing.T, do doFunc) {
		for _, comes := range []bool{true, false} {
			patience := time.Minute
			if !comes {
				patience = time.Millisecond
			}
			reset := native.SetTimerPatience(patience)
			before := native.ReadStats()
			for range 20 {
				parent, stop := context.WithCancelCause(context.Background())
				inside := false
				ctx := lateContext{parent, func() {
					if inside && comes {
						go stop(budget)
					}
				}}
				_, err := do(ctx, func(*native.Call) (int, error) { inside = true; return 0, codeError{7} })
				var ne *native.Error
				want := error(context.DeadlineExceeded)
				if comes {
					want = budget
				}
				if !errors.As(err, &ne) || ne.Cause != want || ne.Outcome() != native.Cancelled || !errors.As(err, new(codeError)) {
					t.Errorf("comes %v: %v", comes, err)
				}
				stop(nil)
			}
			if s := native.ReadStats(); s.Completed != before.Completed {
				t.Errorf("comes %v: counted as completed: %d", comes, s.Completed-before.Completed)
			}
			reset()
		}
	})
}

func TestOutcome_String(t *testing.T) {
	for o, want := range map[native.Outcome]string{
		native.NotStarted: "not started", native.Abandoned: "abandoned",
		native.CompletedDespiteCancel: "completed despite cancel", 99: "unknown outcome", -1: "unknown outcome",
	} {
		if o.String() != want {
			t.Errorf("%d is %q, want %q", o, o, want)
		}
	}
}
