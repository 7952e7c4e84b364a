//go:build cgo

package nativetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A recorder is a test that may fail.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Logf(string, ...any)       {}
func (r *recorder) Errorf(f string, a ...any) { r.failures = append(r.failures, fmt.Sprintf(f, a...)) }

// A wrong binding is told what is wrong with it.
func TestInterrupter_mustFail(t *testing.T) {
	const (
		only  = iota
		first // the others say the same of other moments
		some  // which one is first is a race
	)
	for name, c := range map[string]struct {
		binding func(*ignorant) nativetest.Binding[*handle]
		want    []string // parts of what is said
		which   int      // of the failures says it
	}{
		"stubborn": {stubborn, []string{"in the middle, under a request's context: the call did not return within 1m0s of the cancel", "Call.AbandonAfter"}, only},
		"lost when idle, declared once": {func(i *ignorant) nativetest.Binding[*handle] { return onceOnly(nativetest.Lost, i) },
			[]string{"at entry, under a request's context: a cancel before entry was lost", "native.Canceller.Repeat"}, only},
		"clears at start, declared once": {func(i *ignorant) nativetest.Binding[*handle] { return onceOnly(nativetest.Clears, i) },
			[]string{"at entry, under a request's context: a cancel before entry was lost", "native.Canceller.Repeat"}, only},
		"poisoned": {func(*ignorant) nativetest.Binding[*handle] { return binding(nativetest.Sticky, with(false, false)) },
			[]string{"in the middle", "the next call on the same handle failed, after one that was cancelled in the middle", "native.Canceller.Reset", nativetest.ErrStopped.Error()}, first},
		"late": {late, []string{"the next call on the same handle failed"}, some},
		"forgets the cause": {func(*ignorant) nativetest.Binding[*handle] {
			return changed(func(_ context.Context, err error) error { return errors.New("interrupted") })
		}, []string{"before start", "Run's error does not match the context's cause", "It is: interrupted"}, first},
		"cut short": {func(*ignorant) nativetest.Binding[*handle] {
			return changed(func(context.Context, error) error { return nil })
		}, []string{"before start", "the call returned nil, although it was cancelled"}, first},
		"panics": {func(*ignorant) nativetest.Binding[*handle] {
			return changed(func(context.Context, error) error { panic("boom") })
		}, []string{"before start", "panic: boom", "mustfail_test.go"}, first},
		"too short": {func(*ignorant) nativetest.Binding[*handle] {
			b := binding(nativetest.Lost, with(true, false))
			b.Run, b.Inside = b.Check, func(*handle) bool { return false }
			return b
		}, []string{"in the middle", "before anybody has cancelled it, Run returned", "make it longer"}, first},
		"refuses to close": {refuses, []string{"beside Close", "beside a call Close failed", "busy", "native.Handle"}, only},
		"never worked": {func(*ignorant) nativetest.Binding[*handle] {
			b := binding(nativetest.Lost, with(true, false))
			b.Check = func(context.Context, *handle) error { return errors.New("42 is wrong") }
			return b
		}, []string{"not cancelled", "nobody has cancelled anything, and Check fails: 42 is wrong"}, only},
	} {
		t.Run(name, func(t *testing.T) {
			i := &ignorant{expired: make(chan struct{})}
			defer i.end()
			r := new(recorder)
			nativetest.InterrupterUntil(r, i.keep(c.binding(i)), i.expired)
			if len(r.failures) == 0 {
				t.Fatal("the suite has passed it")
			}
			said := r.failures[0]
			if c.which == some {
				said = strings.Join(r.failures, "\n")
			}
			for _, part := range c.want {
				if !strings.Contains(said, part) {
					t.Errorf("it does not say %q:\n%s", part, said)
				}
			}
			if c.which == only && len(r.failures) > 1 {
				t.Errorf("there are other failures:\n%s", strings.Join(r.failures[1:], "\n"))
			}
		})
	}
}

// The bound is the Grace.
func TestInterrupter_grace(t *testing.T) {
	i := &ignorant{expired: make(chan struct{})}
	defer i.end()
	b := i.keep(stubborn(i))
	b.Grace = 50 * time.Millisecond
	r := new(recorder)
	nativetest.TestInterrupter(r, b)
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "did not return within 50ms") {
		t.Errorf("failures: %q", r.failures)
	}
}

// An ignorant call does not return when it is cancelled, and says so. It does in the end.
type ignorant struct {
	expired chan struct{}
	once    sync.Once
	until   cancel.Token
	calls   atomic.Int32 // and what they have started; not a WaitGroup, as some may be yet to come
	handles []*handle
}

// keep closes the handles of stuck calls at the end.
func (i *ignorant) keep(b nativetest.Binding[*handle]) nativetest.Binding[*handle] {
	make := b.New
	b.New = func() (*handle, error) {
		h, err := make()
		i.handles = append(i.handles, h)
		return h, err
	}
	return b
}

func (i *ignorant) ignores() { i.once.Do(func() { close(i.expired) }) }

func (i *ignorant) end() {
	i.until.Cancel(nil)
	for since := time.Now(); i.calls.Load() > 0 && time.Since(since) < 30*time.Second; {
		runtime.Gosched()
	}
	for _, h := range i.handles {
		h.engine.Retire()
	}
}

// stubborn looks at no cancel.
func stubborn(i *ignorant) nativetest.Binding[*handle] {
	return binding(nativetest.Lost, func(c *native.Call, _ *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
		i.calls.Add(1)
		defer i.calls.Add(-1)
		if d == long {
			c.OnCancel(func(error) { i.ignores() })
		}
		return nativetest.Spin(i.until.Flag().Pointer(), d, in)
	})
}

// onceOnly takes its time before it enters the library, and is then cancelled once.
func onceOnly(k nativetest.Kind, i *ignorant) nativetest.Binding[*handle] {
	return binding(k, func(c *native.Call, e *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
		i.calls.Add(1)
		defer i.calls.Add(-1)
		var cancelled atomic.Bool
		c.AddCanceller(native.Canceller{Cancel: func(error) { e.Cancel(); cancelled.Store(true) }})
		if d == long {
			for since := time.Now(); !cancelled.Load() && time.Since(since) < 20*time.Millisecond; {
				runtime.Gosched()
			}
			if cancelled.Load() {
				i.ignores()
				return i.run(e, d, in)
			}
		}
		return e.Run(d, in)
	})
}

// context is done at the end.
func (i *ignorant) context() context.Context {
	return cancel.NewContext(context.Background(), &i.until)
}

// run runs until the end, which does not get lost.
func (i *ignorant) run(e *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
	_, err := native.Inline(i.context(), func(c *native.Call) (int, error) {
		c.AddCanceller(native.Canceller{Cancel: func(error) { e.Cancel() }, Repeat: true})
		return 0, e.Run(d, in)
	})
	return err
}

// late cancels a sticky engine whenever it gets to it, and joins nobody.
func late(i *ignorant) nativetest.Binding[*handle] {
	b := binding(nativetest.Sticky, func(c *native.Call, e *nativetest.Engine, d time.Duration, in *nativetest.Inside) error {
		err := e.Run(d, in)
		if c.Cancelled() {
			e.Reset()
		}
		return err
	})
	cancels := func(call func(context.Context, *handle) error) func(context.Context, *handle) error {
		return func(ctx context.Context, h *handle) error {
			e, release, err := h.engine.Acquire()
			if err != nil {
				return err
			}
			i.calls.Add(1)
			go func() {
				defer i.calls.Add(-1)
				defer release()
				select {
				case <-ctx.Done():
					e.Cancel()
				case <-i.context().Done():
				}
			}()
			return call(ctx, h)
		}
	}
	b.Run, b.Check = cancels(b.Run), cancels(b.Check)
	b.Close = func(h *handle) error { h.engine.Retire(); return nil }
	return b
}

// changed says something else than its calls do, of those that fail.
func changed(f func(context.Context, error) error) nativetest.Binding[*handle] {
	b := binding(nativetest.Lost, with(true, false))
	run := b.Run
	b.Run = func(ctx context.Context, h *handle) error {
		err := run(ctx, h)
		if err != nil {
			err = f(ctx, err)
		}
		return err
	}
	return b
}

// refuses to close a handle that is used, as is each on which nothing has been checked.
func refuses(*ignorant) nativetest.Binding[*handle] {
	b := binding(nativetest.Lost, with(true, false))
	check, closeIt := b.Check, b.Close
	var checked sync.Map
	b.Check = func(ctx context.Context, h *handle) error {
		checked.Store(h, true)
		return check(ctx, h)
	}
	b.Close = func(h *handle) error {
		if _, ok := checked.Load(h); !ok {
			h.engine.Retire()
			return errors.New("busy")
		}
		return closeIt(h)
	}
	return b
}
