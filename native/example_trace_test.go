//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// One line for each call: how it ended, why, and when it came to each stage since Do was
// called. (The example leaves the times out, as they differ.)
func ExampleWithTrace() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration {
				return slog.Attr{}
			}
			return a
		},
	}))
	ctx, stop := context.WithCancelCause(context.Background()) // a server has the request's
	ctx = native.WithTrace(ctx, &native.Trace{Done: func(r native.Receipt) {
		logger.Info("infer", "call", r)
	}})

	in := new(nativetest.Inside)
	go func() { in.Wait(); stop(errors.New("client disconnected")) }()
	native.Do(ctx, func(c *native.Call) (string, error) {
		return "", nativetest.Spin(c.Flag().Pointer(), time.Hour, in) // the engine's call
	})
	// Output: level=INFO msg=infer call.outcome=cancelled call.cause="client disconnected" call.error="native: call cancelled (client disconnected): nativetest: stopped"
}

// What a metric needs: how the call ended, how long C went on after the cancel, how
// long a result took that nobody was there for any more.
func ExampleReceipt() {
	var r native.Receipt
	ctx, stop := context.WithCancel(context.Background())
	ctx = native.WithTrace(ctx, &native.Trace{Done: func(x native.Receipt) { r = x }})
	native.Do(ctx, func(c *native.Call) (int, error) {
		stop()
		return 42, ignoreError(nativetest.Spin(c.Flag().Pointer(), time.Hour, nil))
	})
	reaction := r.Returned.Sub(r.FlagSet)
	fmt.Println(r.Outcome, r.Cause, reaction > 0 && reaction < time.Hour)
	// Output: completed despite cancel context canceled true
}

func ignoreError(error) error { return nil }

// The outcome of a call that failed, from its error alone.
func ExampleError_Outcome() {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) { return 0, nil })
	var ne *native.Error
	if errors.As(err, &ne) {
		fmt.Println(ne.Outcome())
	}
	// Output: not started
}
