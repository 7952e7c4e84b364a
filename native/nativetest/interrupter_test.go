//go:build cgo

package nativetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

const (
	long  = time.Hour // only a cancel ends it
	short = 20 * time.Microsecond
)

// A handle is what the calls of a fixture share.
type handle struct {
	engine *native.Handle[*nativetest.Engine]
	in     *nativetest.Inside
}

// A fixture makes a call of a library for d.
type fixture func(c *native.Call, e *nativetest.Engine, d time.Duration, in *nativetest.Inside) error

// binding is how a program binds a fixture whose cancel function is of kind k.
func binding(k nativetest.Kind, f fixture) nativetest.Binding[*handle] {
	call := func(ctx context.Context, h *handle, d time.Duration) error {
		_, err := native.Do(ctx, func(c *native.Call) (int, error) {
			e, err := h.engine.Use(c)
			if err != nil {
				return 0, err
			}
			defer h.in.Clear()
			return 0, f(c, e, d, h.in)
		})
		return err
	}
	return nativetest.Binding[*handle]{
		New: func() (*handle, error) {
			return &handle{native.NewHandle(nativetest.NewEngine(k), (*nativetest.Engine).Free), new(nativetest.Inside)}, nil
		},
		Run:    func(ctx context.Context, h *handle) error { return call(ctx, h, long) },
		Check:  func(ctx context.Context, h *handle) error { return call(ctx, h, short) },
		Close:  func(h *handle) error { return h.engine.Close(context.Background()) },
		Inside: func(h *handle) bool { return h.in.IsSet() },
		Grace:  time.Minute,
		Rounds: 40,
	}
}

// with is the fixture of an engine with this canceller.
func with(repeat, reset bool) fixture {
	return func(c *native.Call, e *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
		k := native.Canceller{Cancel: func(error) { e.Cancel() }, Repeat: repeat}
		if reset {
			k.Reset = e.Reset
		}
		c.AddCanceller(k)
		return e.Run(d, in)
	}
}

// N1 to N5 and N10, for every way that C blocks and can be stopped.
func TestInterrupter(t *testing.T) {
	for name, b := range map[string]nativetest.Binding[*handle]{
		"cooperative": binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
			return nativetest.Spin(c.Flag().Pointer(), d, in)
		}),
		"abort callback": binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
			return nativetest.RunInt(native.PollInt(), c.Flag().Pointer(), d, in)
		}),
		"slow to notice": binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
			if d == short {
				return nativetest.Spin(c.Flag().Pointer(), d, in)
			}
			return nativetest.Slow(c.Flag().Pointer(), 5*time.Millisecond, d, in)
		}),
		"blocked on a descriptor": binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
			fd, err := c.EventFD()
			if errors.Is(err, errors.ErrUnsupported) && runtime.GOOS != "linux" {
				return nativetest.Spin(c.Flag().Pointer(), d, in)
			} else if err != nil {
				return err
			}
			return nativetest.PollFD(fd, d, in)
		}),
		"blocked in a system call": binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
			read := slices.Index(nativetest.SystemCalls(), "read of a pipe")
			if d == short || read < 0 || nativetest.DefersSignals { // not Linux, or under ThreadSanitizer
				return nativetest.Spin(c.Flag().Pointer(), d, in)
			}
			return c.Interruptible(func() error { return nativetest.BlockIn(read, in) })
		}),
		"asleep on a futex": binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
			return nativetest.Sleep(c.Flag().Pointer(), d, in)
		}),
		"lost when idle":            binding(nativetest.Lost, with(true, false)),
		"clears its flag at start":  binding(nativetest.Clears, with(true, false)),
		"sticky":                    binding(nativetest.Sticky, with(false, true)),
		"sticky, repeated":          binding(nativetest.Sticky, with(true, true)),
		"calls back into Go":        binding(nativetest.Lost, progress(func() {})),
		"crashes its callback":      crashing(),
		"a clean handle every time": fresh(),
	} {
		t.Run(name, func(t *testing.T) { nativetest.TestInterrupter(t, b) })
	}
}

// The example passes.
func TestInterrupter_example(t *testing.T) { nativetest.TestInterrupter(t, solver()) }

// progress is a library that reports to Go, which stops it, after cancelled.
func progress(cancelled func()) fixture {
	return func(c *native.Call, e *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
		return e.RunProgress(func() bool {
			if c.Cancelled() {
				cancelled()
				return true
			}
			return false
		}, d, in)
	}
}

var errCrash = errors.New("crash")

// crashing is a library whose callback panics when it is to stop (N9). The program makes an
// error of it.
func crashing() nativetest.Binding[*handle] {
	b := binding(nativetest.Lost, progress(func() { panic(errCrash) }))
	for _, f := range []*func(context.Context, *handle) error{&b.Run, &b.Check} {
		call := *f
		*f = func(ctx context.Context, h *handle) (err error) {
			defer func() {
				switch v := recover().(type) {
				case nil:
				case error:
					err = v
					if errors.Is(v, errCrash) {
						err = fmt.Errorf("%w: %w", context.Cause(ctx), v)
					}
				}
			}()
			return call(ctx, h)
		}
	}
	return b
}

// fresh is a sticky library with an object for each call: nothing to repeat or to reset.
func fresh() nativetest.Binding[*handle] {
	return binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
		e := nativetest.NewEngine(nativetest.Sticky)
		c.Cleanup(func(bool) { e.Free() })
		c.OnCancel(func(error) { e.Cancel() })
		return e.Run(d, in)
	})
}
