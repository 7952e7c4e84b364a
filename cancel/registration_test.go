package cancel_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/cancel"
)

// C5: Stop says whether it prevented the callback.
func TestRegistration_stop(t *testing.T) {
	var tok cancel.Token
	stopped := tok.OnCancel(func(error) { t.Error("a stopped callback ran") })
	ran := make(chan error, 1)
	kept := tok.OnCancel(func(cause error) { ran <- cause })
	if !stopped.Stop() || stopped.Stop() || stopped.StopAndWait() {
		t.Error("Stop did not prevent the callback exactly once")
	}
	tok.Cancel(errGone)
	within(t, "the callback that was kept", ran)
	tok.Drain()
	if kept.Stop() {
		t.Error("Stop says it prevented a callback that ran")
	}
	var zero cancel.Registration
	if zero.Stop() || zero.StopAndWait() {
		t.Error("the zero Registration stopped something")
	}
}

// C5: Stop does not wait for a running callback.
func TestRegistration_stopDoesNotWait(t *testing.T) {
	var tok cancel.Token
	running, release := make(chan struct{}), make(chan struct{})
	r := tok.OnCancel(func(error) { close(running); <-release })
	tok.Cancel(errGone)
	within(t, "the callback to start", running)
	if r.Stop() { // would hang here if it waited
		t.Error("Stop says it prevented a running callback")
	}
	close(release)
	tok.Drain()
}

// C5: StopAndWait returns only when the callback is not running, for each of
// several waiters.
func TestRegistration_stopAndWait(t *testing.T) {
	var tok cancel.Token
	running, release := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	r := tok.OnCancel(func(error) {
		close(running)
		<-release
		ended.Store(true)
	})
	tok.Cancel(errGone)
	within(t, "the callback to start", running)
	waiters := make(chan bool, 3)
	for range cap(waiters) {
		go func() {
			r.StopAndWait()
			waiters <- ended.Load()
		}()
	}
	close(release)
	for range cap(waiters) {
		if !within(t, "StopAndWait", waiters) {
			t.Error("StopAndWait returned before the callback had ended")
		}
	}
}

// C5: StopAndWait and Drain called from inside the callback do not deadlock; a
// goroutine that the callback starts is not inside and does wait.
func TestRegistration_stopAndWaitFromInside(t *testing.T) {
	var tok cancel.Token
	var r cancel.Registration
	registered, inside := make(chan struct{}), make(chan bool, 1)
	var ended atomic.Bool
	outside := make(chan bool, 1)
	r = tok.OnCancel(func(error) {
		defer ended.Store(true)
		<-registered
		go func() {
			r.StopAndWait()
			outside <- ended.Load()
		}()
		inside <- r.StopAndWait()
		tok.Drain()
	})
	close(registered)
	tok.Cancel(errGone)
	if within(t, "StopAndWait from inside", inside) {
		t.Error("it claims to have prevented its own callback")
	}
	if !within(t, "StopAndWait from a goroutine of the callback", outside) {
		t.Error("it did not wait")
	}
	tok.Drain()
}

// C7: a blocked callback delays no sibling, and Cancel not at all.
func TestToken_isolation(t *testing.T) {
	var tok cancel.Token
	release := make(chan struct{})
	ran := make(chan error, 1)
	tok.OnCancel(func(error) { <-release })
	tok.OnCancel(func(cause error) { ran <- cause })
	tok.OnCancel(func(error) { <-release })
	tok.Cancel(errGone) // would hang here if it ran or awaited callbacks
	within(t, "the sibling of a blocked callback", ran)
	close(release)
	tok.Drain()
}

// panicOf returns what f panics with.
func panicOf(f func()) (p *cancel.PanicError) {
	defer func() { p, _ = recover().(*cancel.PanicError) }()
	f()
	return nil
}

// C7: a callback's panic reaches the goroutine that waits, once, with its stack,
// whether it waits before or comes after.
func TestToken_panicReachesWaiter(t *testing.T) {
	boom := errors.New("boom")
	for name, wait := range map[string]func(*cancel.Token, cancel.Registration){
		"StopAndWait": func(_ *cancel.Token, r cancel.Registration) { r.StopAndWait() },
		"Drain":       func(tok *cancel.Token, _ cancel.Registration) { tok.Drain() },
	} {
		for _, late := range []bool{false, true} {
			var tok cancel.Token
			release := make(chan struct{})
			r := tok.OnCancel(func(error) { <-release; explode(boom) })
			tok.Cancel(errGone)
			caught := make(chan *cancel.PanicError, 1)
			if late {
				other := tok.OnCancel(func(error) {})
				close(release)
				other.StopAndWait()
				// The only way to know that the callback has ended without waiting for
				// it is to look: it is the last one running.
				for cancel.Running(&tok) > 0 {
					runtime.Gosched()
				}
				caught <- panicOf(func() { wait(&tok, r) })
			} else {
				go func() { caught <- panicOf(func() { wait(&tok, r) }) }()
				close(release)
			}
			p := within(t, name, caught)
			if p == nil || !errors.Is(p, boom) || !strings.Contains(string(p.Stack), "explode") {
				t.Fatalf("%s, late %v: got %v", name, late, p)
			}
			if again := panicOf(func() { r.StopAndWait(); tok.Drain() }); again != nil {
				t.Errorf("%s, late %v: delivered twice", name, late)
			}
		}
	}
}

//go:noinline
func explode(v any) { panic(v) }

// C7: Goexit in a callback ends it like a return.
func TestToken_goexitInCallback(t *testing.T) {
	var tok cancel.Token
	r := tok.OnCancel(func(error) { runtime.Goexit() })
	tok.Cancel(errGone)
	r.StopAndWait()
	tok.Drain()
}

// The invariant of every cancel/stop race, for a million decided races: a
// callback ran if and only if Stop or StopAndWait did not prevent it and the
// token was cancelled, never twice, and never after StopAndWait had returned.
func TestRegistration_race(t *testing.T) {
	races := 1_000_000
	if testing.Short() {
		races = 50_000
	}
	var prevented, ran, completed int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		wg.Go(func() {
			p, r, c := stopRaces(t, races/4)
			mu.Lock()
			defer mu.Unlock()
			prevented, ran, completed = prevented+p, ran+r, completed+c
		})
	}
	wg.Wait()
	t.Logf("%d prevented, %d ran, %d completed", prevented, ran, completed)
	// On one processor the scheduler runs the two in turn, always in the same order.
	if runtime.GOMAXPROCS(0) > 1 && (prevented == 0 || ran == 0 || completed == 0) {
		t.Error("the race always ends the same way: it is no race")
	}
}

func stopRaces(t *testing.T, n int) (prevented, ran, completed int64) {
	type race struct {
		tok *cancel.Token
		how int
	}
	ch := make(chan race)
	decided := make(chan bool)
	go func() {
		defer close(decided)
		for r := range ch {
			spin(r.how)
			if r.how%4 == 3 {
				r.tok.Complete()
			} else {
				r.tok.Cancel(errGone)
			}
			decided <- r.tok.Completed()
		}
	}()
	defer func() { close(ch); <-decided }()
	for i := range n {
		var tok cancel.Token
		var starts, over atomic.Int32
		reg := tok.OnCancel(func(error) {
			if starts.Add(1) != 1 || over.Load() != 0 {
				t.Error("callback started twice or after StopAndWait")
			}
		})
		ch <- race{&tok, i}
		spin(i / 7)
		stopped := reg.StopAndWait()
		over.Store(1)
		isCompleted := <-decided
		tok.Close()
		tok.Drain()
		want := int32(1)
		switch {
		case stopped:
			want = 0
			prevented++
		case isCompleted:
			want = 0
			completed++
		default:
			ran++
		}
		if starts.Load() != want {
			t.Fatalf("race %d: stopped %v, completed %v, started %d times", i, stopped, isCompleted, starts.Load())
		}
	}
	return prevented, ran, completed
}

var sink atomic.Uint64

// spin passes a little time, a different one each race, without the scheduler.
func spin(n int) {
	for range n % 50 * 4 {
		sink.Load()
	}
}
