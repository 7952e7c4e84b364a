//go:build cgo

package native_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	rtrace "runtime/trace"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// receipts is a Trace that hands out what it is told.
func receipts() (*native.Trace, <-chan native.Receipt, <-chan native.Receipt) {
	done, reclaimed := make(chan native.Receipt, 1), make(chan native.Receipt, 1)
	return &native.Trace{
		Done:      func(r native.Receipt) { done <- r },
		Reclaimed: func(r native.Receipt) { reclaimed <- r },
	}, done, reclaimed
}

// inOrder fails the test unless the stages came one after the other, all of them.
func inOrder(t *testing.T, name string, stages ...time.Time) {
	t.Helper()
	for i, at := range stages {
		if at.IsZero() || i > 0 && at.Before(stages[i-1]) {
			t.Errorf("%s: stage %d at %v, the one before at %v", name, i, at, stages[max(i-1, 0)])
		}
	}
}

// N11: a traced call that was cancelled has the time of each stage, from the client's end to
// Do's return.
func TestN11_stages(t *testing.T) {
	callbacks := map[string]func(*native.Call, func(error)){
		"OnCancel":     func(c *native.Call, f func(error)) { c.OnCancel(f) },
		"AddCanceller": func(c *native.Call, f func(error)) { c.AddCanceller(native.Canceller{Cancel: f, Repeat: true}) },
	}
	bothWays(t, func(t *testing.T, do doFunc) {
		for kind := range contexts(t) {
			for name, register := range callbacks {
				ctx, stop := cancellable(t, kind)
				tr, done, _ := receipts()
				in := new(nativetest.Inside)
				go func() { in.Wait(); stop(&goneError{time.Now()}) }()
				before := time.Now()
				_, err := do(native.WithTrace(ctx, tr), func(c *native.Call) (int, error) {
					called := make3[bool]()
					register(c, func(error) {
						select {
						case called <- true:
						default:
						}
					})
					err := nativetest.Spin(c.Flag().Pointer(), long, in)
					within(t, "the callback", called)
					return 0, err
				})
				after := time.Now()
				r := within(t, "the receipt", done)
				name = kind + ", " + name
				if r.Outcome != native.Cancelled || r.Err != err || !errors.Is(err, nativetest.ErrStopped) {
					t.Errorf("%s: %+v", name, r)
				}
				inOrder(t, name, before, r.Start, r.Entered, r.Noticed, r.FlagSet, r.Callback, r.Returned, r.Done, after)
				if !strings.HasSuffix(t.Name(), "Inline") {
					inOrder(t, name, r.Start, r.Admitted, r.Entered)
				} else if !r.Admitted.IsZero() {
					t.Errorf("%s: Inline has no place", name)
				}
			}
		}
	})
}

// N11, N7: a call that waits for a place, one that is turned away, one that leaves the line.
func TestN11_queued(t *testing.T) {
	p := &native.Pool{Name: "one", Size: 1, Queue: 1}
	free := occupy(t, p, 1)
	tr, done, _ := receipts()
	ctx := native.WithTrace(context.Background(), tr)
	one := func(*native.Call) (int, error) { return 1, nil }

	go native.DoIn(ctx, p, one)
	eventually(t, "the call to queue", func() bool { return p.Stats().Queued == 1 })
	queued := time.Now()

	full, fullDone, _ := receipts()
	_, err := native.DoIn(native.WithTrace(context.Background(), full), p, one)
	r := within(t, "the receipt of the one turned away", fullDone)
	if r.Outcome != native.NotStarted || !errors.Is(r.Err, native.ErrPoolFull) || r.Err != err || r.Cause != nil || r.Pool != "one" {
		t.Errorf("turned away: %+v", r)
	}
	if !r.Admitted.IsZero() || !r.Entered.IsZero() || !r.Returned.IsZero() {
		t.Errorf("turned away: %+v", r)
	}
	free()
	r = within(t, "the receipt", done)
	inOrder(t, "queued", r.Start, queued, r.Admitted, r.Entered, r.Returned, r.Done)
	if r.Outcome != native.Completed || !r.FlagSet.IsZero() || !r.Callback.IsZero() || r.Err != nil {
		t.Errorf("queued: %+v", r)
	}

	free = occupy(t, p, 1)
	leaver, stop := context.WithCancelCause(ctx)
	go native.DoIn(leaver, p, one)
	eventually(t, "the call to queue", func() bool { return p.Stats().Queued == 1 })
	stop(errGone)
	if r = within(t, "the receipt of the one that left", done); r.Outcome != native.NotStarted || r.Cause != errGone || !r.Admitted.IsZero() {
		t.Errorf("left: %+v", r)
	}
	free()
	closePool(t, p)
}

// N11, N6: an abandoned call has two receipts: at Do's return, and at its own.
func TestN11_abandoned(t *testing.T) {
	p := &native.Pool{Grace: time.Millisecond}
	for kind := range contexts(t) {
		tr, done, reclaimed := receipts()
		ctx, stop := cancellable(t, kind)
		release, cleaned := make2(), make2()
		_, err := native.DoIn(native.WithTrace(ctx, tr), p, func(c *native.Call) (int, error) {
			c.Cleanup(func(bool) { close(cleaned) })
			stop(errGone)
			<-release
			return 0, codeError{7}
		})
		var ne *native.Error
		if !errors.Is(err, native.ErrAbandoned) || !errors.As(err, &ne) || ne.Outcome() != native.Abandoned {
			t.Errorf("%s: %v", kind, err)
		}
		r := within(t, "the receipt", done)
		if r.Outcome != native.Abandoned || r.Err != err || r.Cause != errGone || !r.Returned.IsZero() || len(reclaimed) != 0 {
			t.Errorf("%s, abandoned: %+v", kind, r)
		}
		inOrder(t, kind, r.Start, r.Entered, r.FlagSet, r.Done)
		close(release)
		late := within(t, "the second receipt", reclaimed)
		select {
		case <-cleaned:
		default:
			t.Errorf("%s: reclaimed before its clean-up", kind)
		}
		if late.Outcome != native.Cancelled || late.Err != (codeError{7}) || late.Cause != errGone || !late.Done.Equal(r.Done) {
			t.Errorf("%s, reclaimed: %+v", kind, late)
		}
		inOrder(t, kind, late.Done, late.Returned)
	}
	closePool(t, p)
}

// N11: Reclaimed comes after Done, also where the call was over first.
func TestN11_reclaimedAfterDone(t *testing.T) {
	p := &native.Pool{Grace: time.Millisecond}
	ctx, stop := context.WithCancelCause(t.Context())
	release := make2()
	var order []string
	native.DoIn(native.WithTrace(ctx, &native.Trace{
		Done: func(native.Receipt) {
			close(release)
			eventually(t, "the call to be over", func() bool { return p.Stats().Reclaimed == 1 })
			order = append(order, "done")
		},
		Reclaimed: func(native.Receipt) { order = append(order, "reclaimed") },
	}), p, func(*native.Call) (int, error) {
		stop(errGone)
		<-release
		return 1, nil
	})
	if got := strings.Join(order, ", "); got != "done, reclaimed" {
		t.Errorf("told: %s", got)
	}
	closePool(t, p)
}

// N2, N11: the cancel of a call inside another's function, which returns its error, is not
// the other's.
func TestN11_nested(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		inner, stop := context.WithCancelCause(context.Background())
		stop(errGone)
		tr, done, _ := receipts()
		_, err := do(native.WithTrace(t.Context(), tr), func(*native.Call) (int, error) {
			return native.Inline(inner, func(*native.Call) (int, error) { return 1, nil })
		})
		if r := within(t, "the receipt", done); r.Outcome != native.Completed || r.Cause != nil || r.Err != err || !errors.Is(err, errGone) {
			t.Errorf("%+v", r)
		}
	})
}

// N11: one Done for each call, one Reclaimed after it for each that was abandoned, whatever
// meets; the receipts add up to the pool's figures.
func TestN11_race(t *testing.T) {
	n := 30_000
	if testing.Short() {
		n = 3_000
	}
	p := &native.Pool{Size: 8, ErrorLog: quiet}
	var byOutcome, reclaimed [native.Abandoned + 1]atomic.Uint64
	for kind := range contexts(t) {
		parallel(8, func(worker int) {
			for i := range n / 24 {
				var told atomic.Int32
				ctx, stop := oneContext(kind)
				over := make2()
				traced := native.WithTrace(ctx, &native.Trace{
					Done: func(r native.Receipt) {
						byOutcome[r.Outcome].Add(1)
						if !told.CompareAndSwap(0, 1) || r.Done.Before(r.Start) {
							t.Errorf("told twice, or backwards: %+v", r)
						}
						if i%16 == 0 {
							runtime.Gosched()
						}
						if r.Outcome != native.Abandoned {
							close(over)
						}
					},
					Reclaimed: func(r native.Receipt) {
						defer close(over)
						reclaimed[r.Outcome].Add(1)
						if !told.CompareAndSwap(1, 2) || r.Outcome == native.NotStarted || r.Outcome == native.Abandoned || r.Cause != errGone {
							t.Errorf("told %d: %+v", told.Load(), r)
						}
					},
				})
				canceller := make2()
				go func() {
					defer close(canceller)
					for range (i + worker) % 30 {
						runtime.Gosched()
					}
					stop(errGone)
				}()
				recovered(func() {
					native.DoIn(traced, p, func(c *native.Call) (int, error) {
						c.AbandonAfter(time.Duration(1 + i*7919%20_000))
						c.OnCancel(func(error) { runtime.Gosched() })
						for range i * 31 % 60 {
							runtime.Gosched()
						}
						if i%40 == 0 {
							panic("late or not")
						}
						return 1, [...]error{nil, errOther}[i%2]
					})
				})
				<-canceller
				within(t, "the last receipt", over)
				stop(nil)
			}
		})
	}
	closePool(t, p)
	s := p.Stats()
	count := func(o native.Outcome) uint64 { return byOutcome[o].Load() + reclaimed[o].Load() }
	// A call whose context ends on the way to its goroutine is one that Stats has as started.
	vain := s.Cancelled - count(native.Cancelled)
	if count(native.Abandoned) != s.Abandoned || s.Abandoned != s.Reclaimed || count(native.Completed) != s.Completed ||
		count(native.CompletedDespiteCancel) != s.CompletedDespiteCancel || vain > count(native.NotStarted) {
		t.Errorf("receipts by outcome %v, reclaimed %v; figures %+v", &byOutcome, &reclaimed, s)
	}
	t.Logf("%+v", s)
}

// N11: a panic and Goexit have a receipt, and pass.
func TestN11_panic(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		for name, end := range map[string]func(){"panic": func() { explode(errGone) }, "Goexit": runtime.Goexit} {
			tr, done, _ := receipts()
			ended := make2()
			go func() {
				defer close(ended)
				defer func() { recover() }()
				do(native.WithTrace(t.Context(), tr), func(*native.Call) (int, error) { end(); return 1, nil })
				t.Errorf("%s: passed over", name)
			}()
			r := within(t, "the receipt", done)
			if <-ended; !r.Panicked || r.Err != nil || r.Outcome != native.Completed {
				t.Errorf("%s: %+v", name, r)
			}
			inOrder(t, name, r.Entered, r.Returned, r.Done)
		}
	})
}

// N11: traces are told from the inside out; a call under a request's context has the request's
// flag though it is traced, and obeys a deadline that is put on top.
func TestN11_context(t *testing.T) {
	var tok cancel.Token
	defer tok.Close()
	var order []string
	say := func(s string) *native.Trace {
		return &native.Trace{Done: func(native.Receipt) { order = append(order, s) }}
	}
	ctx := native.WithTrace(cancel.NewContext(t.Context(), &tok), say("outer"))
	ctx = native.WithTrace(context.WithValue(ctx, t, 1), new(native.Trace))
	ctx = native.WithTrace(ctx, say("inner"))
	for _, do := range []doFunc{native.Do[int], native.Inline[int]} {
		order = nil
		var flag unsafe.Pointer
		if _, err := do(ctx, func(c *native.Call) (int, error) { flag = c.Flag().Pointer(); return 0, nil }); err != nil {
			t.Error(err)
		}
		if got := strings.Join(order, ", "); got != "inner, outer" || flag != tok.Flag().Pointer() {
			t.Errorf("told: %s; the request's flag: %v", got, flag == tok.Flag().Pointer())
		}
		late, stop := context.WithTimeout(ctx, time.Millisecond)
		_, err := do(late, func(c *native.Call) (int, error) { return 0, nativetest.Spin(c.Flag().Pointer(), long, nil) })
		stop()
		if !errors.Is(err, context.DeadlineExceeded) || tok.Cancelled() {
			t.Errorf("its own deadline: %v", err)
		}
	}
	if recovered(func() { native.WithTrace(ctx, nil) }) == nil {
		t.Error("a nil Trace is taken")
	}
	runtime.KeepAlive(ctx)
}

// N11: nothing is allocated where nothing is traced, also beside a context that is, and a
// function that captures variables need not be either.
func TestN11_allocatesNothing(t *testing.T) {
	skipWhereRegisteringAllocates(t)
	var tok cancel.Token
	defer tok.Close()
	ctx := cancel.NewContext(context.Background(), &tok)
	n := 0
	inline := func() { native.Inline(ctx, func(*native.Call) (int, error) { n++; return n, nil }) }
	fn := func(c *native.Call) (int, error) { c.OnCancel(ignore); return 0, nil }
	do := func() { native.Do(ctx, fn) }
	for _, beside := range []bool{false, true} {
		var traced context.Context
		if beside {
			traced = native.WithTrace(context.Background(), new(native.Trace))
		}
		for name, f := range map[string]func(){"Inline": inline, "Do": do} {
			if allocs := testing.AllocsPerRun(1000, f); allocs != 0 {
				t.Errorf("%s, beside a traced context %v: %v allocations", name, beside, allocs)
			}
		}
		runtime.KeepAlive(traced)
	}
	traced := native.WithTrace(ctx, &native.Trace{Done: func(native.Receipt) {}})
	t.Logf("traced: Do %v allocations, Inline %v",
		testing.AllocsPerRun(1000, func() { native.Do(traced, fn) }), testing.AllocsPerRun(1000, func() { native.Inline(traced, fn) }))
}

// N11: when no traced context is left, calls look for none.
func TestN11_forgotten(t *testing.T) {
	tr, done, _ := receipts()
	func() {
		native.Do(native.WithTrace(context.Background(), tr), func(*native.Call) (int, error) { return 0, nil })
		within(t, "the receipt", done)
		if native.Traces() == 0 {
			t.Error("a call is traced, and none is known to be")
		}
	}()
	eventually(t, "the collector to find that no traced context is left", func() bool {
		runtime.GC()
		return native.Traces() == 0
	})
}

// N11: an execution trace has a task and two regions of each call, without a Trace; and calls
// that begin before it or end after it are well.
func TestN11_executionTrace(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		var buf bytes.Buffer
		ctx, stop := context.WithCancelCause(t.Context())
		one := func(between func()) {
			do(ctx, func(c *native.Call) (int, error) { between(); return 1, nil })
		}
		one(func() {
			if err := rtrace.Start(&buf); err != nil {
				t.Fatal(err)
			}
		})
		one(func() {})
		do(ctx, func(c *native.Call) (int, error) {
			stop(errGone)
			waitFlag(t, c)
			return 0, errOther
		})
		ctx = t.Context()
		one(rtrace.Stop)
		for _, want := range []string{"native call", "native do", "native function", "outcome", "completed", "cancelled", "gone"} {
			if !bytes.Contains(buf.Bytes(), []byte(want)) {
				t.Errorf("%q is not in the execution trace", want)
			}
		}
	})
}
