package measurement

import (
	"context"
	"errors"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/bench/internal/engine"
	"github.com/hangup-go/hangup/bench/internal/load"
	"github.com/hangup-go/hangup/bench/internal/result"
	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// Polls measures what it costs C to ask once whether it is cancelled, by a callback: the smallest one in Go, which the
// other is compared with, and native.PollInt, a C function.
func Polls(ctx context.Context, budget time.Duration, step func(part float64)) ([]result.CallCost, error) {
	w := engine.NewWord()
	defer w.Free()
	asking := func(poll unsafe.Pointer) func(int) {
		return func(n int) { nativetest.PollTimes(poll, w.Pointer(), n) }
	}
	return inTurns(ctx, []turn{
		{"a Go callback", false, asking(nativetest.GoPoll())}, {"native.PollInt", true, asking(native.PollInt())},
	}, budget, step)
}

// errNotSet is what no run has met.
var errNotSet = errors.New("a token's flag is not set when Cancel has returned")

// Cancel measures how long it takes within a process from a Cancel to the flag under a load: from just before the call to
// its return, when the flag is set.
func (l *Lab) Cancel(ctx context.Context, ld load.Load, budget time.Duration, step func(part float64)) (result.CancelTime, error) {
	stop, err := ld.Start(ctx, l)
	if err != nil {
		return result.CancelTime{}, err
	}
	defer stop()
	rec := result.NewRecorder()
	const perRound = 1000
	for start := time.Now(); time.Since(start) < budget; {
		for range perRound {
			d, err := cancelOnce()
			if err != nil {
				return result.CancelTime{}, err
			}
			rec.Record(d)
		}
		rec.EndRound()
		if ctx.Err() != nil {
			return result.CancelTime{}, context.Cause(ctx)
		}
		step(min(float64(time.Since(start))/float64(budget), 1))
	}
	d := rec.Dist(false)
	d.Rounds = nil // thousands
	return result.CancelTime{Load: ld.Name, Time: d}, nil
}

func cancelOnce() (time.Duration, error) {
	var t cancel.Token
	defer t.Close()
	flag := t.Flag()
	start := time.Now()
	t.Cancel(nil)
	d := time.Since(start)
	if !flag.IsSet() {
		return 0, errNotSet
	}
	return d, nil
}
