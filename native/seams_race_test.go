//go:build cgo

package native_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	rtrace "runtime/trace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// A mixture is what calls of every kind, with everything in them, add up to.
type mixture struct {
	t     *testing.T
	p     *native.Pool
	trace native.Trace
	h     *native.Handle[int]

	calls, traced, done, abandoned, reclaimed, cleaned, registered atomic.Int64
}

// once makes one call, on a goroutine that it may end.
func (m *mixture) once(r *rand.Rand) {
	tok := new(cancel.Token)
	ctx, stop := cancel.NewContext(context.Background(), tok), func() { tok.Cancel(errGone) }
	if r.IntN(3) == 0 {
		c, s := context.WithCancelCause(context.Background())
		ctx, stop = c, func() { s(errGone) }
	}
	defer stop()
	m.calls.Add(1)
	if r.IntN(2) == 0 {
		m.traced.Add(1)
		ctx = native.WithTrace(ctx, &m.trace)
	}
	var over, mayBeLate atomic.Bool
	bits := r.Uint64()
	way := r.IntN(3)
	if way == 1 {
		bits &^= 3 << 16 // not abandoned: the default pool logs late panics
	}
	fn := func(c *native.Call) (int, error) { return m.function(c, bits, stop, &over, &mayBeLate) }
	go func() {
		for range bits % 7 {
			runtime.Gosched()
		}
		stop()
	}()
	ended := make(chan bool)
	go func() {
		defer close(ended)
		defer func() { recover() }()
		switch way {
		case 0:
			native.Inline(ctx, fn)
		case 1:
			native.Do(ctx, fn)
		case 2:
			native.DoIn(ctx, m.p, fn)
		}
	}()
	within(m.t, "a call", ended)
	over.Store(!mayBeLate.Load())
	tok.Close()
	tok.Drain()
	if !mayBeLate.Load() {
		tok.Reset() // panics if it is borrowed still
	}
}

// function does what the bits say.
func (m *mixture) function(c *native.Call, bits uint64, stop func(), over, mayBeLate *atomic.Bool) (int, error) {
	look := func() {
		if over.Load() {
			m.t.Error("after the call's end")
		}
	}
	m.registered.Add(1)
	c.Cleanup(func(bool) { look(); m.cleaned.Add(1) })
	do := func(bit int, f func()) {
		if bits>>(8+bit)&1 != 0 {
			f()
		}
	}
	do(0, func() { c.OnCancel(func(error) { look(); c.OnCancel(func(error) { look() }) }) })
	do(1, func() {
		c.AddCanceller(native.Canceller{Repeat: bits&1 != 0, Cancel: func(error) { look() }, Reset: func() {
			look()
			c.OnCancel(func(error) { look() })
		}})
	})
	do(2, func() { m.h.Use(c) })
	do(3, func() { c.Flag() })
	if bits>>16&3 == 3 {
		mayBeLate.Store(true)
		c.AbandonAfter(time.Nanosecond)
	}
	do(4, stop)
	do(5, func() { c.Cleanup(func(bool) { look(); c.OnCancel(func(error) { look() }) }) })
	if bits>>20&7 == 7 {
		c.Cleanup(func(bool) { runtime.Goexit() })
	}
	if bits>>24&7 == 7 {
		c.AddCanceller(native.Canceller{Cancel: func(error) {}, Reset: runtime.Goexit})
	}
	switch bits >> 28 & 7 {
	case 0:
		panic(errOther)
	case 1:
		runtime.Goexit()
	case 2, 3:
		return 0, errOther
	}
	return 1, nil
}

// N2, N3, N6, N9, N10, N11: calls of every kind, traced or not, of one token or another, with callbacks, cancellers,
// clean-ups, leases and abandonment, cancelled at any time, that return, fail, panic or exit, while an execution trace is
// switched on and off: nothing comes after a call's end, and all is given back and accounted for.
func TestSeams_race(t *testing.T) {
	slots := cancel.FlagsInUse()
	m := &mixture{t: t, p: &native.Pool{Size: 3, ErrorLog: quiet}, h: native.NewHandle(1, nil)}
	m.trace = native.Trace{
		Done: func(r native.Receipt) {
			m.done.Add(1)
			if r.Outcome == native.Abandoned {
				m.abandoned.Add(1)
			}
		},
		Reclaimed: func(native.Receipt) { m.reclaimed.Add(1) },
	}
	n := 1500
	if testing.Short() {
		n = 300
	}
	quit, toggled := make2(), make2()
	go func() {
		defer close(toggled)
		for on := false; ; on = !on {
			select {
			case <-quit:
				rtrace.Stop()
				return
			default:
			}
			if on {
				rtrace.Stop()
			} else if err := rtrace.Start(io.Discard); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	}()
	parallel(4, func(i int) {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		for range n {
			m.once(r)
		}
	})
	close(quit)
	within(t, "the end of the execution trace", toggled)
	closePool(t, m.p)
	settled := func() bool {
		return m.abandoned.Load() == m.reclaimed.Load() && m.cleaned.Load() == m.registered.Load() && native.ReadStats().Running == 0
	}
	for end := time.Now().Add(30 * time.Second); !settled() && time.Now().Before(end); runtime.Gosched() {
	}
	state := fmt.Sprintf("%d calls, %d traced, %d told of, %d abandoned, %d reclaimed, %d entered, %d cleaned up", m.calls.Load(), m.traced.Load(),
		m.done.Load(), m.abandoned.Load(), m.reclaimed.Load(), m.registered.Load(), m.cleaned.Load())
	t.Log(state)
	if !settled() || m.done.Load() != m.traced.Load() {
		t.Error(state)
	}
	if s := m.p.Stats(); s.Running != 0 || s.Abandoned != s.Reclaimed || s.Started != s.Completed+s.Cancelled+s.CompletedDespiteCancel {
		t.Errorf("%+v", s)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := m.h.Close(ctx); err != nil {
		t.Error(err)
	}
	if left := cancel.FlagsInUse() - slots; left > native.Followers() {
		t.Errorf("%d slots left behind, %d followers keep one", left, native.Followers())
	}
}
