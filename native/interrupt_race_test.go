//go:build cgo && linux

package native_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

var signalGoroutines = flag.Int("hangup.signalGoroutines", 4, "and how many goroutines make them")

var signalCalls = flag.Int("hangup.signals", 4_000, "interrupted calls of the signal stress test")

// N3, N4, N5, N8: calls with signals sent as fast as possible, beside a program that
// uses os/signal, timers, the collector, preemption and the CPU profiler. None is lost: every
// cancelled call returns. None is handled outside its section: the handler counts.
func TestInterruptible_race(t *testing.T) {
	skipDeferred(t)
	n := *signalCalls
	if testing.Short() {
		n = min(n, 1_000)
	}
	mustInterrupt(t) // 34 from elsewhere ends a program without the handler
	defer busyProgram(t)()
	var cancelled atomic.Int64
	start := time.Now()
	soak(t, *signalGoroutines, n, func(s *soaker) {
		if raceOneSignal(t, s) {
			cancelled.Add(1)
		}
	})
	assertConfined(t)
	sent, inside, outside := native.SignalCounts()
	t.Logf("%d calls, %d interrupted, %v; since the program's start %d signals sent, %d handled inside, %d outside",
		n, cancelled.Load(), time.Since(start).Round(time.Millisecond), sent, inside, outside)
	if cancelled.Load() == 0 {
		t.Error("no call was interrupted")
	}
}

// raceOneSignal makes a call that a cancel hits anywhere: before the system call, in it, on the
// way out. It reports whether the call was interrupted.
func raceOneSignal(t *testing.T, s *soaker) bool {
	i := s.i
	ctx, stop := oneContext([]string{"token", "derived", "standard"}[i%3])
	defer stop(nil)
	canceller := make(chan struct{})
	entered := make(chan struct{})
	go func() {
		defer close(canceller)
		if i%3 == 2 {
			<-entered // else the context is followed a millisecond later only
		}
		for range i % 40 {
			runtime.Gosched()
		}
		stop(errGone)
	}()
	do := native.Do[int]
	if i%2 == 0 {
		do = native.Inline[int]
	}
	s.waits("the call's begin")
	_, err := do(ctx, func(c *native.Call) (int, error) {
		return 0, c.Interruptible(func() error {
			close(entered)
			s.waits("the system call of " + strconv.Itoa(i%8))
			defer s.waits("the section's end")
			return again(c, func() error { return blockBriefly(i) })
		})
	})
	s.waits("the canceller")
	<-canceller
	var ne *native.Error
	switch {
	case err == nil: // the short system call won
	case errors.As(err, &ne) && ne.Err == nil: // cancelled before it was made
	case errors.Is(err, syscall.EINTR) && errors.Is(err, errGone):
		return true
	default:
		t.Errorf("call %d: %v", i, err)
	}
	return false
}

// blockBriefly blocks for good, or for moments only, so that signals also meet
// returns; in Go and in C.
func blockBriefly(i int) error {
	switch i % 8 {
	case 0:
		return unix.Nanosleep(&unix.Timespec{Nsec: int64(i%100) * 2000}, nil)
	case 1:
		return nil
	case 2:
		return nativetest.BlockIn(i%len(systemCalls), nil)
	default:
		return unix.Nanosleep(&unix.Timespec{Sec: 3600}, nil)
	}
}

var systemCalls = nativetest.SystemCalls()

// busyProgram does what may get into the way of signals until stopped.
func busyProgram(t *testing.T) (stop func()) {
	ch := make(chan os.Signal, 1000)
	signal.Notify(ch)
	profiling := pprof.StartCPUProfile(new(bytes.Buffer)) == nil
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	every := func(d time.Duration, f func()) {
		wg.Go(func() {
			for tick := time.NewTicker(d); ctx.Err() == nil; <-tick.C {
				f()
			}
		})
	}
	every(time.Millisecond, func() { unix.Kill(unix.Getpid(), syscall.SIGUSR1) })
	every(5*time.Millisecond, func() { unix.Kill(unix.Getpid(), 34) })
	every(10*time.Millisecond, runtime.GC)
	every(100*time.Microsecond, func() {})
	wg.Go(func() { native.Hammer(ctx.Done()) })
	wg.Go(func() { // preempted by signals: it never yields
		for n := 0; ctx.Err() == nil; n++ {
			if n%1_000_000 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		if profiling { // unless -cpuprofile has it already
			pprof.StopCPUProfile()
		}
		signal.Stop(ch)
		close(ch)
		for sig := range ch {
			if sig == syscall.Signal(34) {
				t.Error("os/signal saw the interrupting signal")
			}
		}
	}
}
