package measure_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hangup-go/hangup/native/measure"
)

// A poller looks once in every, and takes rest to get out.
func poller(every, rest time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		for ctx.Err() == nil {
			time.Sleep(every)
		}
		time.Sleep(rest)
		return ctx.Err()
	}
}

// On a clock that is exact, the interval and what comes on top are found within 5 percent.
func TestCancel_findsTheInterval(t *testing.T) {
	for _, tt := range []struct{ every, rest time.Duration }{
		{time.Millisecond, 0}, {10 * time.Millisecond, 3 * time.Millisecond}, {700 * time.Millisecond, 50 * time.Millisecond},
		{3 * time.Millisecond, 40 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, err := measure.Cancel(t.Context(), measure.Call{Run: poller(tt.every, tt.rest)})
			if err != nil {
				t.Fatal(err)
			}
			if d.N() != 200 || !near(d.Interval(), tt.every, tt.every/20) || !near(d.Rest(), tt.rest, tt.every/20) {
				t.Errorf("looks every %v and takes %v to leave: found %v, and %v; %v", tt.every, tt.rest, d.Interval(), d.Rest(), d)
			}
			if max := tt.every + tt.rest; d.Quantile(1) > max || d.Quantile(0) < tt.rest {
				t.Errorf("between %v and %v, want %v to %v", d.Quantile(0), d.Quantile(1), tt.rest, max)
			}
		})
	}
}

func near(got, want, by time.Duration) bool { return got >= want-by && got <= want+by }

// The time is from the cancel to the return, whatever it was that cancelled.
func TestCancel_ownCancelFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{}, 1)
		d, err := measure.Cancel(t.Context(), measure.Call{
			Run:    func(context.Context) error { <-stop; time.Sleep(20 * time.Millisecond); return nil },
			Cancel: func() { stop <- struct{}{} },
			N:      30,
		})
		if err != nil || d.N() != 30 || d.Quantile(0) != 20*time.Millisecond || d.Quantile(1) != 20*time.Millisecond {
			t.Errorf("%v, %v", d, err)
		}
	})
}

// What can't be timed is an error, and not a time.
func TestCancel_errors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := measure.Cancel(t.Context(), measure.Call{Run: func(context.Context) error { return nil }})
		if !errors.Is(err, measure.ErrEnded) {
			t.Errorf("a call that ends by itself: %v", err)
		}
		over := make(chan struct{})
		_, err = measure.Cancel(t.Context(), measure.Call{Run: func(context.Context) error { <-over; return nil }})
		if !errors.Is(err, measure.ErrStuck) {
			t.Errorf("a call that does not stop: %v", err)
		}
		close(over)
		why := errors.New("enough")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { stop(why) })
		_, err = measure.Cancel(ctx, measure.Call{Run: poller(time.Millisecond, 0)})
		if !errors.Is(err, why) {
			t.Errorf("an ended context: %v", err)
		}
	})
}

// Quantiles that so few can't tell are left out.
func TestDelays_String(t *testing.T) {
	if s := (measure.Delays{}).String(); s != "no cancels" {
		t.Error(s)
	}
	synctest.Test(t, func(t *testing.T) {
		d, err := measure.Cancel(t.Context(), measure.Call{Run: func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(1234567 * time.Nanosecond)
			return nil
		}, N: 10})
		if want := "10 cancels: p50 1.23ms, p90 1.23ms, max 1.23ms; looks about every 0s"; err != nil || d.String() != want {
			t.Errorf("%q, %v, want %q", d, err, want)
		}
	})
}
