//go:build cgo

package native_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"os/exec"
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

// N10 with N6: a handle that is closed while a stubborn, abandoned call uses it is freed
// only after that call has really returned. AddressSanitizer watches (.ci/sanitize).
func TestHandle_stubborn(t *testing.T) {
	block := nativetest.NewBlock()
	var freed atomic.Int32
	h := native.NewHandle(block, func(b nativetest.Block) {
		b.Free()
		freed.Add(1)
	})
	p := &native.Pool{Size: 1, Grace: time.Millisecond}
	var until cancel.Token
	defer until.Close()
	in := new(nativetest.Inside)
	ctx, stop := context.WithCancelCause(t.Context())
	go func() { in.Wait(); stop(errGone) }()
	intact := make3[bool]()
	_, err := native.DoIn(ctx, p, func(c *native.Call) (int, error) {
		b, err := h.Use(c)
		if err != nil {
			return 0, err
		}
		intact <- nativetest.Stubborn(b, until.Flag().Pointer(), long, in)
		return 0, nil
	})
	if !errors.Is(err, native.ErrAbandoned) {
		t.Fatal(err)
	}
	h.Retire()
	now, stopNow := context.WithCancelCause(t.Context())
	stopNow(errGone)
	if err := h.Close(now); !errors.Is(err, errGone) || !strings.Contains(err.Error(), "1 leases left") {
		t.Errorf("Close with a lease left: %v", err)
	}
	if !nativetest.Stubborn(block, until.Flag().Pointer(), time.Millisecond, nil) || freed.Load() != 0 {
		t.Error("freed while C reads it")
	}
	until.Cancel(nil)
	if !within(t, "the call", intact) {
		t.Error("freed under the call")
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if freed.Load() != 1 {
		t.Errorf("freed %d times", freed.Load())
	}
	closePool(t, p)
}

// A check counts once it has been seen failing: AddressSanitizer rejects what TestHandle_stubborn
// does if the handle's memory is freed when Do returns.
func TestHandle_freedEarly(t *testing.T) {
	if !asanEnabled {
		t.Skip("needs -asan")
	}
	if os.Getenv("HANGUP_FREE_EARLY") != "" {
		block := nativetest.NewBlock()
		in := new(nativetest.Inside)
		ctx, stop := context.WithCancel(t.Context())
		go func() { in.Wait(); stop() }()
		native.Do(ctx, func(c *native.Call) (int, error) {
			c.AbandonAfter(time.Millisecond)
			nativetest.Stubborn(block, c.Flag().Pointer(), long, in)
			nativetest.Stubborn(block, new(cancel.Token).Flag().Pointer(), 10*time.Second, in)
			return 0, nil
		})
		block.Free()
		time.Sleep(20 * time.Second) // the sanitizer ends the process
		return
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHandle_freedEarly$")
	cmd.Env = append(os.Environ(), "HANGUP_FREE_EARLY=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("heap-use-after-free")) {
		t.Errorf("not rejected: %v\n%s", err, out)
	}
}

// N10: a closed handle leases no more; it is freed once, by the closer if nobody uses it.
func TestHandle_closed(t *testing.T) {
	freed := 0
	h := native.NewHandle(1, func(int) { freed++ })
	if v, err := native.Do(t.Context(), h.Use); v != 1 || err != nil {
		t.Errorf("Use: %d, %v", v, err)
	}
	v, release, err := h.Acquire()
	if v != 1 || err != nil {
		t.Errorf("Acquire: %d, %v", v, err)
	}
	release()
	release()
	if freed != 0 {
		t.Error("freed before it is closed")
	}
	h.Retire()
	h.Retire()
	if err := h.Close(context.Background()); err != nil || freed != 1 {
		t.Errorf("Close: %v; freed %d times", err, freed)
	}
	if _, err := native.Do(t.Context(), h.Use); !errors.Is(err, native.ErrHandleClosed) || !strings.Contains(err.Error(), "handle_test.go") {
		t.Errorf("Use of a closed handle: %v", err)
	}
	if _, release, err := h.Acquire(); !errors.Is(err, native.ErrHandleClosed) || release != nil {
		t.Errorf("Acquire of a closed handle: %v", err)
	}
}

// A lease taken for a call that is over is given back.
func TestHandle_usedAfterReturn(t *testing.T) {
	h := native.NewHandle(1, nil)
	var kept *native.Call
	native.Inline(t.Context(), func(c *native.Call) (int, error) { kept = c; return 0, nil })
	if recovered(func() { h.Use(kept) }) == nil {
		t.Error("no panic")
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
}

// N10 under any interleaving: nobody has a value that has been freed, callbacks included; it
// is freed once.
func TestHandle_race(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	for i := range n {
		var alive, freed atomic.Int32
		alive.Store(1)
		h := native.NewHandle(&alive, func(a *atomic.Int32) {
			a.Store(0)
			freed.Add(1)
		})
		check := func(a *atomic.Int32) {
			if a.Load() != 1 {
				t.Error("used after it was freed")
			}
		}
		ctx, stop := context.WithCancelCause(context.Background())
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				_, err := native.Do(ctx, func(c *native.Call) (int, error) {
					a, err := h.Use(c)
					if err != nil {
						return 0, err
					}
					if g == 0 {
						c.AbandonAfter(1)
					}
					c.OnCancel(func(error) { check(a) })
					for range i % 20 {
						runtime.Gosched()
						check(a)
					}
					return 0, nil
				})
				if err != nil && !errors.Is(err, native.ErrHandleClosed) && !errors.Is(err, errGone) {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if a, release, err := h.Acquire(); err == nil {
				check(a)
				release()
			}
		})
		wg.Go(func() { stop(errGone) })
		for range i % 7 {
			runtime.Gosched()
		}
		if i%2 == 0 {
			h.Retire()
		}
		if err := h.Close(context.Background()); err != nil || freed.Load() != 1 {
			t.Fatalf("Close: %v; freed %d times", err, freed.Load())
		}
		wg.Wait()
	}
}

// A handle that nobody closed is reported, and not freed.
func TestHandle_leak(t *testing.T) {
	lines := make(chan string, 16)
	log.SetOutput(lineWriter(lines))
	defer log.SetOutput(os.Stderr)
	func() {
		h := native.NewHandle(1, func(int) { t.Error("freed by the collector") })
		native.Inline(t.Context(), h.Use)
		closed := native.NewHandle(1, nil)
		closed.Retire()
	}()
	eventually(t, "the report", func() bool {
		runtime.GC()
		return len(lines) > 0
	})
	if line := <-lines; !strings.Contains(line, "handle_test.go") || !strings.Contains(line, "never closed") {
		t.Errorf("report: %s", line)
	}
	runtime.GC()
	if len(lines) != 0 {
		t.Errorf("also reported: %s", <-lines)
	}
}

type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) { w <- string(b); return len(b), nil }

// N10: a lease by Use allocates nothing.
func TestHandle_allocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop items on purpose")
	}
	h := native.NewHandle(1, nil)
	defer h.Retire()
	p := &native.Pool{Grace: time.Minute}
	defer p.Close(context.Background())
	var tok cancel.Token
	defer tok.Close()
	ctx := cancel.NewContext(t.Context(), &tok)
	fn := func(c *native.Call) (int, error) { return h.Use(c) }
	if allocs := testing.AllocsPerRun(1000, func() { native.DoIn(ctx, p, fn) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
