//go:build cgo

package native

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

var errCorner = errors.New("corner")

// eventually fails the test if ok does not come true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// N5: a call that begins as the armer goes to sleep is seen: by the armer's second look, or
// by the call, which wakes it.
func TestArmer_secondLook(t *testing.T) {
	n := 50_000
	if testing.Short() {
		n = 5_000
	}
	a := newArmer()
	a.timer = time.AfterFunc(time.Hour, func() {})
	defer a.timer.Stop()
	f := a.get()
	var round, done atomic.Int64
	go func() { // follower.start's last lines
		for i := int64(1); i <= int64(n); i++ {
			for round.Load() < i {
				runtime.Gosched()
			}
			f.word.Store(f.word.Load() + generation | active)
			if a.asleep.Load() {
				a.wake()
			}
			done.Store(i)
		}
	}()
	for i := int64(1); i <= int64(n); i++ {
		f.word.Store(f.word.Load() &^ (active | armed))
		a.asleep.Store(false)
		round.Store(i)
		for range i % 32 {
			done.Load()
		}
		a.round()
		for done.Load() < i {
			runtime.Gosched()
		}
		if a.asleep.Load() {
			t.Fatalf("round %d: asleep, and a call is to be followed", i)
		}
	}
}

// C8: a follower outlives its Call, and is used again.
func TestFollower_givenBack(t *testing.T) {
	free := func() int {
		followers.mu.Lock()
		defer followers.mu.Unlock()
		return len(followers.free)
	}
	var before int
	func() {
		c := new(Call)
		followerOf(c)
		before = free()
	}()
	eventually(t, "the follower of a Call that was collected", func() bool { runtime.GC(); return free() > before })
}

// N7: workers that nobody has needed since the last look end, and their figures stay.
func TestCrew_trim(t *testing.T) {
	p := &Pool{Name: t.Name()}
	const n = 4
	var inside, all sync.WaitGroup
	inside.Add(n)
	for range n {
		all.Go(func() {
			_, err := DoIn(t.Context(), p, func(*Call) (int, error) { inside.Done(); inside.Wait(); return 0, nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p.crew.trim() // all have been needed
	if w := p.Stats().Workers; w != n {
		t.Errorf("%d workers after the first look, want %d", w, n)
	}
	if _, err := DoIn(t.Context(), p, func(*Call) (int, error) { return 0, nil }); err != nil {
		t.Error(err)
	}
	p.crew.trim() // one has
	if s := p.Stats(); s.Workers != 1 || s.Started != n+1 || s.Completed != n+1 {
		t.Errorf("after the second look: %+v", s)
	}
	p.crew.trim()
	if w := p.Stats().Workers; w != 0 || p.crew.timer != nil {
		t.Errorf("after the third look: %d workers", w)
	}
	if _, err := DoIn(t.Context(), p, func(*Call) (int, error) { return 0, nil }); err != nil {
		t.Error(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// N3: a callback that registers a callback, and so on: the call waits for them all.
func TestCall_callbacksOfCallbacks(t *testing.T) {
	const depth = 5
	for range 100 {
		var ended atomic.Int32
		cancelledCall(t, func(c *Call) {
			var register func(left int)
			register = func(left int) {
				c.OnCancel(func(error) {
					if left > 0 {
						register(left - 1)
						register(0)
					}
					for range 20 {
						runtime.Gosched()
					}
					ended.Add(1)
				})
			}
			register(depth)
		})
		if n := ended.Load(); n != 2*depth+1 {
			t.Fatalf("%d of %d had ended when the call was over", n, 2*depth+1)
		}
	}
}

// N9: where both have panicked, the function's panic is what the caller gets.
func TestDo_panicOfFunctionFirst(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	defer func() {
		if p, _ := recover().(*cancel.PanicError); p == nil || !errors.Is(p, errCorner) {
			t.Errorf("recovered %v", p)
		}
	}()
	_, _ = Do(ctx, func(c *Call) (int, error) {
		ran := make(chan struct{})
		c.OnCancel(func(error) { defer close(ran); panic("the callback's") })
		stop()
		<-ran
		panic(errCorner)
	})
}

// A Call that waits for its next use keeps no result.
func TestDo_keepsNoResult(t *testing.T) {
	var job *typedJob[*[]byte]
	v, err := Do(t.Context(), func(c *Call) (*[]byte, error) {
		job = c.job.(*typedJob[*[]byte])
		return new([]byte), errCorner
	})
	if v == nil || err != errCorner {
		t.Errorf("%v, %v", v, err)
	}
	if job.v != nil || job.err != nil || job.fn != nil {
		t.Errorf("kept: %+v", job)
	}
}

// A token that knows the place of a call's first callback does not keep the Call: once the pool has
// dropped it, its follower comes back.
func TestFollower_comesBack(t *testing.T) {
	for _, ctx := range []context.Context{context.Background(), t.Context()} {
		if _, err := Inline(ctx, func(c *Call) (int, error) { c.OnCancel(func(error) {}); return 0, nil }); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all followers", func() bool {
		runtime.GC() // the pool drops its Calls at the second
		followers.mu.Lock()
		defer followers.mu.Unlock()
		return len(followers.free) == len(followers.all)
	})
}

// TestPool_hidden: a worker of a pool that can be closed shows its call no longer than the call
// has its token: Close would cancel the next call's.
func TestPool_hidden(t *testing.T) {
	var p Pool
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if _, err := DoIn(ctx, &p, func(*Call) (int, error) { return 0, nil }); err != nil {
		t.Fatal(err)
	}
	p.crew.mu.Lock()
	defer p.crew.mu.Unlock()
	for w := range p.crew.all {
		w.mu.Lock()
		if w.cur != nil {
			t.Error("the worker still shows a call that has returned")
		}
		w.mu.Unlock()
	}
}
