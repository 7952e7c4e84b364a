//go:build cgo

package native_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

var cyclesPerWay = flag.Int("hangup.cycles", 0, "how often each way in is started, cancelled and left; if 0, 400, or 60 with -short")

// A cycle is one call that is cancelled, and what its worker keeps from one to the next.
type cycle struct {
	t *testing.T
	*soaker
	pool   *native.Pool
	ctx    context.Context
	engine map[nativetest.Kind]*nativetest.Engine
}

// long or not: some calls end by themselves, about when the cancel comes.
func (y *cycle) length() time.Duration {
	if y.i%4 == 0 {
		return time.Duration(y.i%64) * time.Microsecond
	}
	return long
}

// call makes a call in the cycle's pool or, at times, on the caller's goroutine.
func (y *cycle) call(fn func(*native.Call) error) error {
	do := func(c *native.Call) (int, error) { return 0, fn(c) }
	var err error
	if y.i%3 == 0 && y.pool.Name != "pool" {
		_, err = native.Inline(y.ctx, do)
	} else {
		_, err = native.DoIn(y.ctx, y.pool, do)
	}
	return err
}

// poll is the cycle of a way in that is C code which looks or is woken.
func poll(run func(c *native.Call, d time.Duration) error) func(*cycle) error {
	return func(y *cycle) error {
		return y.call(func(c *native.Call) error { return run(c, y.length()) })
	}
}

// added is the cycle of an engine whose cancel function is of kind k. The next
// run on it is never stopped.
func added(k nativetest.Kind, repeat, reset bool) func(*cycle) error {
	return func(y *cycle) error {
		e := y.engine[k]
		err := y.call(func(c *native.Call) error {
			canceller := native.Canceller{Cancel: func(error) { e.Cancel() }, Repeat: repeat}
			if reset {
				canceller.Reset = e.Reset
			}
			c.AddCanceller(canceller)
			return e.Run(y.length(), nil)
		})
		if next := e.Run(0, nil); next != nil {
			y.t.Errorf("cycle %d: the next run on the same engine: %v", y.i, next)
		}
		return err
	}
}

var cycles = map[string]func(*cycle) error{
	"flag": poll(func(c *native.Call, d time.Duration) error { return nativetest.Spin(c.Flag().Pointer(), d, nil) }),
	"PollInt": poll(func(c *native.Call, d time.Duration) error {
		return nativetest.RunInt(native.PollInt(), c.Flag().Pointer(), d, nil)
	}),
	"PollBool": poll(func(c *native.Call, d time.Duration) error {
		return nativetest.RunBool(native.PollBool(), c.Flag().Pointer(), d, nil)
	}),
	"other callbacks": otherCallbacks,
	"futex":           poll(asleep),
	"pool":            poll(asleep),
	"eventfd": poll(func(c *native.Call, d time.Duration) error {
		fd, err := c.EventFD()
		if errors.Is(err, errors.ErrUnsupported) && runtime.GOOS != "linux" {
			return nativetest.Spin(c.Flag().Pointer(), d, nil)
		} else if err != nil {
			return err
		}
		return nativetest.PollFD(fd, d, nil)
	}),
	"OnCancel":               onCancelOnce,
	"AddCanceller, repeated": added(nativetest.Lost, true, false),
	"AddCanceller, cleared":  added(nativetest.Clears, true, false),
	"AddCanceller, sticky":   added(nativetest.Sticky, false, true),
	"signal":                 signalled,
	"callback into Go":       calledBack,
	"abandon":                abandoned,
	"handle":                 leased,
}

// crowd is the pool's: so many wait in line, and are cancelled there too.
const crowd = 6

func otherCallbacks(y *cycle) error {
	abi := []struct {
		poll func() unsafe.Pointer
		run  nativetest.ABI
	}{
		{native.PollCurl, nativetest.RunCurl}, {native.PollTesseract, nativetest.RunTesseract}, {native.PollGit2, nativetest.RunCode},
		{native.PollPCRE2, nativetest.RunCode}, {native.PollGDAL, nativetest.RunGDAL}, {native.PollLlamaLoad, nativetest.RunLlamaLoad},
		{native.PollMagick, nativetest.RunMagick},
	}[y.i%7]
	return y.call(func(c *native.Call) error {
		if abi.run(abi.poll(), c.Flag().Pointer(), y.length(), nil) != 0 {
			return nativetest.ErrStopped
		}
		return nil
	})
}

func asleep(c *native.Call, d time.Duration) error {
	return nativetest.Sleep(c.Flag().Pointer(), d, nil)
}

func onCancelOnce(y *cycle) error {
	return y.call(func(c *native.Call) error {
		e := nativetest.NewEngine(nativetest.Sticky)
		c.Cleanup(func(bool) { e.Free() })
		c.OnCancel(func(error) { e.Cancel() })
		return e.Run(y.length(), nil)
	})
}

func signalled(y *cycle) error {
	read := slices.Index(nativetest.SystemCalls(), "read of a pipe")
	return y.call(func(c *native.Call) error {
		if y.length() != long || read < 0 || nativetest.DefersSignals { // not Linux, or under ThreadSanitizer
			return nativetest.Spin(c.Flag().Pointer(), y.length(), nil)
		}
		return c.Interruptible(func() error { return nativetest.BlockIn(read, nil) })
	})
}

func calledBack(y *cycle) error {
	e := y.engine[nativetest.Lost]
	return y.call(func(c *native.Call) error { return e.RunProgress(c.Cancelled, y.length(), nil) })
}

// abandoned: the caller may leave at once; the clean-up comes once, when C has
// returned.
func abandoned(y *cycle) error {
	cleaned := make(chan bool, 2)
	_, err := native.DoIn(y.ctx, y.pool, func(c *native.Call) (int, error) {
		c.AbandonAfter(time.Duration(1 + y.i%30_000))
		c.Cleanup(func(late bool) { cleaned <- late })
		return 0, nativetest.Spin(c.Flag().Pointer(), y.length(), nil)
	})
	var e *native.Error
	if errors.As(err, &e) && e.Err == nil {
		return err // not started
	}
	y.waits("the clean-up")
	if late := <-cleaned; late != errors.Is(err, native.ErrAbandoned) {
		y.t.Errorf("cycle %d: late %v, %v", y.i, late, err)
	}
	return err
}

// leased: whoever comes last frees, once.
func leased(y *cycle) error {
	var freed atomic.Int32
	h := native.NewHandle(nativetest.NewEngine(nativetest.Lost), func(e *nativetest.Engine) { freed.Add(1); e.Free() })
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for range y.i % 30 {
			runtime.Gosched()
		}
		h.Close(context.Background())
	}()
	err := y.call(func(c *native.Call) error {
		e, err := h.Use(c)
		if errors.Is(err, native.ErrHandleClosed) {
			return nil
		} else if err != nil {
			return err
		}
		c.AddCanceller(native.Canceller{Cancel: func(error) { e.Cancel() }, Repeat: true})
		return e.Run(y.length(), nil)
	})
	y.waits("the handle's end")
	<-closed
	if freed.Load() != 1 {
		y.t.Errorf("cycle %d: freed %d times", y.i, freed.Load())
	}
	return err
}

// N3, N4: for each way in, calls are started, cancelled and left again and again, and in the end
// there is not a goroutine, thread, descriptor, flag or place in a pool more than before.
func TestCycles(t *testing.T) {
	n := *cyclesPerWay
	if n == 0 {
		if n = 400; testing.Short() {
			n = 60
		}
	}
	for name := range cycles {
		t.Run(name, func(t *testing.T) {
			makeCycles(t, name, 60) // what is made once is there
			before := inUse()
			start := time.Now()
			stopped := makeCycles(t, name, n)
			took := time.Since(start) / time.Duration(n)
			now := before.leaked(t)
			t.Logf("%d cycles, %d stopped, %v each; %+v", n, stopped, took, now)
			if stopped == 0 {
				t.Error("none was stopped: the cancel comes too late")
			}
		})
	}
}

// makeCycles makes n cycles of a way in, in a pool.
func makeCycles(t *testing.T, name string, n int) (stopped int64) {
	p := &native.Pool{Name: name, Size: 2}
	workers := 1 // more would only keep the cancellers from running
	if name == "pool" {
		workers = crowd
	}
	ys := make([]*cycle, workers)
	for g := range ys {
		ys[g] = newCycle(t, p)
		defer ys[g].free()
	}
	var gone atomic.Int64
	soak(t, workers, n, func(s *soaker) {
		y := ys[s.i%workers]
		y.soaker = s
		if y.make(cycles[name]) {
			gone.Add(1)
		}
	})
	closePool(t, p)
	return gone.Load()
}

func newCycle(t *testing.T, p *native.Pool) *cycle {
	y := &cycle{t: t, pool: p, engine: map[nativetest.Kind]*nativetest.Engine{}}
	for _, k := range []nativetest.Kind{nativetest.Lost, nativetest.Sticky, nativetest.Clears} {
		y.engine[k] = nativetest.NewEngine(k)
	}
	return y
}

func (y *cycle) free() {
	for _, e := range y.engine {
		e.Free()
	}
}

// make makes one cycle, and reports whether its call was cancelled.
func (y *cycle) make(f func(*cycle) error) (cancelled bool) {
	kind := "token"
	if y.i%64 == 1 { // each waits for the armer's round
		kind = "standard"
	}
	ctx, stop := oneContext(kind)
	defer stop(nil)
	y.ctx = ctx
	canceller := make(chan struct{})
	go func() {
		defer close(canceller)
		for range y.i % 23 {
			runtime.Gosched()
		}
		stop(errGone)
	}()
	y.waits("the call")
	err := f(y)
	y.waits("the canceller")
	<-canceller
	if err != nil && !errors.Is(err, errGone) {
		y.t.Errorf("cycle %d: %v", y.i, err)
	}
	return err != nil
}

// resources are what cycles may leak.
type resources struct{ goroutines, threads, descriptors, flags, followers int }

func inUse() resources {
	return resources{runtime.NumGoroutine(), threads(), descriptors(), cancel.FlagsInUse(), native.Followers()}
}

func (before resources) leaked(t *testing.T) (now resources) {
	t.Helper()
	eventually(t, "the end of what was started", func() bool { return runtime.NumGoroutine() <= before.goroutines })
	now = inUse()
	// A follower keeps its flag, and that its descriptor, once it has one. There are as many as Calls were
	// ever in use between two collections: the race detector makes sync.Pool drop at random.
	// A flag keeps its descriptor for the next token.
	if now.flags > before.flags+now.followers {
		t.Errorf("flags: %+v before, %+v now", before, now)
	}
	if now.descriptors > before.descriptors+now.followers+crowd {
		t.Errorf("descriptors: %+v before, %+v now", before, now)
	}
	// The Go runtime keeps its threads, as many as were ever needed at once.
	if now.threads > before.threads+16 {
		t.Errorf("threads: %+v before, %+v now", before, now)
	}
	return now
}

func descriptors() int {
	files, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
	return len(files)
}

func threads() int {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := bytes.Cut(status, []byte("\nThreads:\t"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, _ := strconv.Atoi(string(line))
	return n
}
