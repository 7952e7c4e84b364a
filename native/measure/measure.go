// Package measure times how long a native call of your own takes to stop: from the cancel to the call's
// return, and how often its code looks.
//
//	d, err := measure.Cancel(ctx, measure.Call{Run: func(ctx context.Context) error {
//		_, err := native.Do(ctx, func(c *native.Call) (string, error) {
//			return engine.Infer(prompt, c.Flag().Pointer())
//		})
//		return err
//	}})
//	fmt.Println(d) // 200 cancels: p50 1.1ms, p90 2.1ms, p99 2.3ms, max 2.4ms; looks about every 2.3ms
//
// Measure on a machine that does nothing else, with the input that takes your engine longest. It imports
// nothing but the standard library and package cancel.
package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A Call is what is timed.
type Call struct {
	// Run makes the call and returns when that has returned. It is called again and again, one after
	// the other, on a goroutine of its own each time. The call must last for long if it is
	// not cancelled: see After. ctx is new each time, and is done when the call is cancelled: a call of
	// native.Do or native.Inline under it has its flag set at once, as under a request's
	// context. Its error is for the caller's use, and is not looked at.
	Run func(ctx context.Context) error

	// Cancel asks the call to stop, where cancelling ctx does not: an engine's cancel function. It
	// may be nil; if not, it is called before ctx is cancelled, and timing starts before it.
	Cancel func()

	// N is how many cancels to time; 200 if zero.
	N int

	// After is how long a call runs at least before it is cancelled: until it is in the middle of
	// its work. 5 ms if zero. The longest wait is After and four times what the call
	// took to stop.
	After time.Duration

	// Patience is how long a cancelled call may take; a minute if zero.
	Patience time.Duration
}

// ErrEnded says that calls ended by themselves, before they were cancelled: give them more to do, or
// have After shorter.
var ErrEnded = errors.New("measure: the call ended before it was cancelled")

// ErrStuck says that a call did not return within Patience. It is left behind.
var ErrStuck = errors.New("measure: the call did not return after its cancel")

// pilots are calls that are made first, to learn how long a cancel takes at all.
const pilots = 20

// Cancel makes c.N calls, cancels each at a moment of its work, and returns how long they took to return. It
// returns early with the context's cause if ctx ends, and with an error that matches ErrEnded or ErrStuck.
//
// Moments are spread over some four times of what a first few cancels took, more densely in the middle, so that they meet every phase
// of a regular poll equally often.
func Cancel(ctx context.Context, c Call) (Delays, error) {
	if c.Run == nil {
		return Delays{}, errors.New("measure: Call.Run is nil")
	}
	c.N, c.After, c.Patience = or(c.N, 200), or(c.After, 5*time.Millisecond), or(c.Patience, time.Minute)
	first, err := c.times(ctx, spread(pilots, time.Millisecond))
	if err != nil {
		return Delays{}, err
	}
	width := 5 * first[len(first)*3/4] // four times the longest, but for what the machine has a part in
	took, err := c.times(ctx, spread(c.N, width))
	return Delays{took}, err
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// spread returns n moments between 0 and width, in a random order: the quantiles of the sum of two uniform
// variables, whose phases against any shorter period are close to uniform.
func spread(n int, width time.Duration) []time.Duration {
	at := make([]time.Duration, n)
	for i := range at {
		p := (float64(i) + 0.5) / float64(n)
		x := math.Sqrt(p / 2)
		if p > 0.5 {
			x = 1 - math.Sqrt((1-p)/2)
		}
		at[i] = time.Duration(x * float64(width))
	}
	rand.Shuffle(n, func(i, j int) { at[i], at[j] = at[j], at[i] })
	return at
}

// times returns what the cancels took, sorted.
func (c Call) times(ctx context.Context, moments []time.Duration) (took []time.Duration, err error) {
	for _, m := range moments {
		d, err := c.one(ctx, c.After+m)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	return took, nil
}

// one makes a call and cancels it.
func (c Call) one(ctx context.Context, after time.Duration) (time.Duration, error) {
	tok := new(cancel.Token)
	returned := make(chan time.Time, 1)
	go func() {
		defer tok.Close() // when the call no longer uses it, however late
		_ = c.Run(cancel.NewContext(ctx, tok))
		returned <- time.Now()
	}()
	ended := false
	select {
	case <-returned:
		ended = true
	case <-ctx.Done():
	case <-time.After(after):
	}
	if ended {
		return 0, fmt.Errorf("%w: it ran for less than %v", ErrEnded, after)
	}
	start := time.Now()
	if c.Cancel != nil {
		c.Cancel()
	}
	tok.Cancel(context.Canceled)
	select {
	case end := <-returned:
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return max(end.Sub(start), 0), nil
	case <-time.After(c.Patience):
		return 0, fmt.Errorf("%w within %v", ErrStuck, c.Patience)
	}
}
