//go:build cgo

package native_test

import (
	"context"
	"errors"
	"log"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// returned fails the test unless every borrow of tok has been given back: Reset panics otherwise.
func returned(t *testing.T, tok *cancel.Token) {
	t.Helper()
	tok.Close()
	tok.Drain()
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("the request's token is still in use: %v", v)
		}
	}()
	tok.Reset()
}

// N4: a stream whose loop ends early cancels its own call, and not the next one that uses its Call.
func TestStream_cancelsItsOwn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range 50 {
		for range native.Stream(ctx, nil, 0, func(_ *native.Call, send func(int) bool) error {
			for send(1) {
			}
			return nil
		}) {
			break
		}
		if _, err := native.Do(ctx, succeed); err != nil {
			t.Fatalf("the context is live, and Do says %v", err)
		}
		if set, _ := native.Inline(ctx, func(c *native.Call) (bool, error) { return c.Cancelled(), nil }); set {
			t.Fatal("the context is live, and the call is cancelled")
		}
	}
}

func succeed(*native.Call) (int, error) { return 0, nil }

// A hookedSetter is a FlagSetter that has set the word already, and does something else when it is asked.
type hookedSetter struct{ hook func() }

func (*hookedSetter) FlagMade(f cancel.Flag) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(f.Pointer())), 1)
}
func (s *hookedSetter) FlagSet() { s.hook() }

// N4: a loan ends once, also where somebody stops the callback while the call leaves: then it has nothing
// beside its token at the second look and had at the first.
func TestInline_loanEndsBesideStop(t *testing.T) {
	tok := new(cancel.Token)
	s := &hookedSetter{hook: func() {}}
	tok.SetFlagSetter(s)
	native.Inline(cancel.NewContext(t.Context(), tok), func(c *native.Call) (int, error) {
		r := c.OnCancel(func(error) {})
		c.Flag()
		s.hook = func() { // at the look of the call's end
			s.hook = func() {}
			r.Stop()
			tok.Cancel(errGone)
		}
		return 0, nil
	})
	returned(t, tok)
}

// An evilError is a cause whose own method panics.
type evilError struct{}

func (evilError) Error() string { return "evil" }
func (evilError) Is(error) bool { panic("Is") }

// N7: a cause that panics costs no place of the pool.
func TestDo_evilCause(t *testing.T) {
	tok := new(cancel.Token)
	tok.Cancel(evilError{})
	p := &native.Pool{Size: 1, Queue: -1}
	for _, pool := range []*native.Pool{nil, p} {
		before := native.StandardLoad()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			native.DoIn(cancel.NewContext(t.Context(), tok), pool, succeed)
		}()
		if after := native.StandardLoad(); after != before {
			t.Errorf("load %d, was %d", after, before)
		}
	}
	if _, err := native.DoIn(t.Context(), p, succeed); err != nil {
		t.Error(err)
	}
	returned(t, tok)
}

// N3, N4: of two calls of a request at once, each ends its own callback.
func TestOnCancel_nested(t *testing.T) {
	for _, inners := range []bool{true, false} { // the inner call has a callback, or the outer
		tok := new(cancel.Token)
		ctx := cancel.NewContext(t.Context(), tok)
		ran := make(chan string, 2)
		register := func(c *native.Call, who string, does bool) {
			if does {
				c.OnCancel(func(error) { ran <- who })
			}
		}
		native.Inline(ctx, func(c *native.Call) (int, error) {
			register(c, "outer", !inners)
			native.Inline(ctx, func(c *native.Call) (int, error) { register(c, "inner", inners); return 0, nil })
			tok.Cancel(errGone)
			return 0, nil
		})
		returned(t, tok)
		close(ran)
		var got []string
		for who := range ran {
			got = append(got, who)
		}
		if want := map[bool]int{true: 0, false: 1}[inners]; len(got) != want || want == 1 && got[0] != "outer" {
			t.Errorf("inner's %v: ran %q", inners, got)
		}
	}
}

// N3: a clean-up that registers a callback and cancels has it joined, and its loan ends.
func TestCleanup_registers(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		tok := new(cancel.Token)
		var ended atomic.Bool
		do(cancel.NewContext(t.Context(), tok), func(c *native.Call) (int, error) {
			c.Cleanup(func(bool) {
				c.OnCancel(func(error) {
					for range 100 {
						runtime.Gosched()
					}
					ended.Store(true)
				})
				tok.Cancel(errGone)
			})
			return 0, nil
		})
		if !ended.Load() {
			t.Error("the callback has not ended")
		}
		returned(t, tok)
	})
}

// N2: how a call ended, which has panicked when its error was made, is not taken for the next call's.
func TestInline_evilCause(t *testing.T) {
	fail := func(*native.Call) (int, error) { return 0, errGone }
	for range 4 { // the pool of Calls forgets some
		tok := new(cancel.Token)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			native.Inline(cancel.NewContext(t.Context(), tok), func(*native.Call) (int, error) {
				tok.Cancel(evilError{})
				return 0, errGone
			})
		}()
		returned(t, tok)
		tok = new(cancel.Token)
		if _, err := native.Inline(cancel.NewContext(t.Context(), tok), fail); err != errGone {
			t.Errorf("error %v", err)
		}
		returned(t, tok)
	}
}

// N3: a Call that is kept is not used between its calls, which would touch the request's flag with nobody to
// keep it.
func TestCall_keptUsedAfter(t *testing.T) {
	tok := new(cancel.Token)
	var kept *native.Call
	native.Inline(cancel.NewContext(t.Context(), tok), func(c *native.Call) (int, error) { kept = c; return 0, nil })
	for name, use := range map[string]func(){
		"Flag": func() { kept.Flag() }, "Cancelled": func() { kept.Cancelled() },
		"OnCancel":     func() { kept.OnCancel(func(error) {}) },
		"AddCanceller": func() { kept.AddCanceller(native.Canceller{Cancel: func(error) {}}) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, "used after its function returned") {
					t.Errorf("%s: panic %q", name, s)
				}
			}()
			use()
		}()
	}
	returned(t, tok)
}

// An evilContext is a request's, wrapped, whose Err panics when it is told to.
type evilContext struct {
	context.Context
	evil atomic.Bool
}

func (c *evilContext) Err() error {
	if c.evil.Load() {
		panic("Err")
	}
	return c.Context.Err()
}

// N3: a context that panics as its call may be abandoned leaves nothing of that.
func TestAbandonAfter_evilContext(t *testing.T) {
	tok := new(cancel.Token)
	ctx := &evilContext{Context: cancel.NewContext(t.Context(), tok)}
	waits := make(chan struct{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		native.Do(ctx, func(c *native.Call) (int, error) {
			c.AbandonAfter(time.Hour)
			ctx.evil.Store(true)
			c.OnCancel(func(error) { close(waits) })
			tok.Cancel(errGone)
			<-waits
			return 0, nil
		})
	}()
	returned(t, tok)
}

// N6: an abandoned call that panics gives all back, also where the log exits.
func TestAbandonAfter_exitingLog(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(foreignWriter(runtime.Goexit))
	tok := new(cancel.Token)
	before := native.ReadStats()
	load := native.StandardLoad()
	release := make(chan struct{})
	_, err := native.Do(cancel.NewContext(t.Context(), tok), func(c *native.Call) (int, error) {
		c.AbandonAfter(time.Millisecond)
		tok.Cancel(errGone)
		<-release
		panic("late")
	})
	if !errors.Is(err, native.ErrAbandoned) {
		t.Fatal(err)
	}
	close(release)
	eventually(t, "the call's place", func() bool { return native.StandardLoad() == load })
	s := native.ReadStats()
	if s.Reclaimed != before.Reclaimed+1 || s.Running != before.Running || s.Cancelled != before.Cancelled+1 {
		t.Errorf("%+v, before %+v", s, before)
	}
	returned(t, tok)
}

// N9: a function that exits, and panics on its way out, ends its worker's goroutine and not the worker.
func TestDo_panicInGoexit(t *testing.T) {
	for range 3 {
		over := make(chan any)
		go func() {
			defer func() { over <- recover() }()
			native.Do(t.Context(), func(*native.Call) (int, error) {
				defer panic(errGone)
				runtime.Goexit()
				return 0, nil
			})
		}()
		if err, _ := within(t, "the panic", over).(error); !errors.Is(err, errGone) {
			t.Errorf("panic %v", err)
		}
		next := make(chan error)
		go func() { _, err := native.Do(t.Context(), succeed); next <- err }()
		if err := within(t, "the next call", next); err != nil {
			t.Error(err)
		}
	}
}

// What a call's first callback holds is kept until the request's next call at most, or its end; that of Do not as long.
func TestOnCancel_forgotten(t *testing.T) {
	tok := new(cancel.Token)
	defer tok.Close()
	ctx := cancel.NewContext(t.Context(), tok)
	for name, do := range map[string]func(context.Context, func(*native.Call) (int, error)) (int, error){
		"Do": native.Do[int], "Inline": native.Inline[int],
	} {
		gone := make(chan struct{})
		func() {
			big := new([1 << 16]byte)
			runtime.AddCleanup(big, func(int) { close(gone) }, 0)
			do(ctx, func(c *native.Call) (int, error) {
				c.OnCancel(func(error) { big[0]++ })
				return 0, nil
			})
		}()
		if name == "Inline" {
			do(ctx, succeed)
		}
		eventually(t, name+"'s callback to be collected", func() bool {
			runtime.GC()
			select {
			case <-gone:
				return true
			default:
				return false
			}
		})
	}
	runtime.KeepAlive(tok)
}

// A context is asked with no lock of the pool's held.
func TestPool_nosyContext(t *testing.T) {
	p := &native.Pool{Size: 1}
	inside, release := make(chan struct{}), make(chan struct{})
	over := make(chan error, 2)
	go func() {
		_, err := native.DoIn(t.Context(), p, func(*native.Call) (int, error) { close(inside); <-release; return 0, nil })
		over <- err
	}()
	<-inside
	base, stop := context.WithCancel(t.Context())
	go func() {
		nosy := foreignContext{Context: base, cause: func() error { p.Stats(); return base.Err() }}
		_, err := native.DoIn(nosy, p, succeed)
		over <- err
	}()
	eventually(t, "the second call to wait", func() bool { return p.Stats().Queued == 1 })
	stop()
	if err := within(t, "the call that left the line", over); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	if err := within(t, "the first call", over); err != nil {
		t.Error(err)
	}
}

// N3, N4, N7: requests whose calls are nested, run side by side, are stopped by others, abandoned and streamed;
// a token is used for one request after the other. Nothing is cancelled that nobody cancelled, no callback starts late,
// and every token is given back.
func TestLoans_race(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 60
	}
	before := native.StandardLoad()
	var all sync.WaitGroup
	for g := range uint64(4) {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 1))
			tok := new(cancel.Token)
			for range n {
				loansOfRequest(t, tok, rnd)
				tok.Close()
				tok.Drain()
				eventually(t, "the abandoned calls of a request to end", func() (ok bool) {
					defer func() { recover() }()
					tok.Reset()
					return true
				})
			}
		})
	}
	all.Wait()
	eventually(t, "every place to be given back", func() bool { return native.StandardLoad() == before })
	if s := native.ReadStats(); s.Abandoned != s.Reclaimed {
		t.Errorf("%+v", s)
	}
}

func loansOfRequest(t *testing.T, tok *cancel.Token, rnd *rand.Rand) {
	request := cancel.NewContext(context.Background(), tok)
	other, stop := context.WithCancel(context.Background())
	defer stop()
	var besides, calls sync.WaitGroup
	defer besides.Wait()
	defer calls.Wait()
	if rnd.IntN(2) == 0 {
		yields := rnd.IntN(2000)
		besides.Go(func() {
			for range yields {
				runtime.Gosched()
			}
			tok.Cancel(errGone)
		})
	}
	for range 1 + rnd.IntN(3) {
		rnd := rand.New(rand.NewPCG(rnd.Uint64(), 1))
		calls.Go(func() {
			for range 4 {
				l := loanCall{T: t, traits: rnd.IntN(traits), besides: &besides}
				l.make(request, tok.Cancelled)
				l.traits &^= abandons
				l.make(other, func() bool { return false })
				if rnd.IntN(3) == 0 {
					for range native.Stream(other, nil, 0, func(_ *native.Call, send func(int) bool) error {
						for send(1) {
						}
						return nil
					}) {
						break
					}
				}
			}
		})
	}
}

// What a call of TestLoans_race does.
const (
	registers = 1 << iota
	registersMore
	stopped // its callback, by another goroutine
	flagged
	cleaned
	abandons
	yields
	nests
	fails
	dedicated
	traits
)

type loanCall struct {
	*testing.T
	traits  int
	besides *sync.WaitGroup
}

func (l loanCall) make(ctx context.Context, cancelled func() bool) {
	var over atomic.Bool
	start := func() {
		if over.Load() {
			l.Error("a callback starts after its call")
		}
	}
	fn := func(c *native.Call) (int, error) {
		if l.traits&registers != 0 {
			r := c.OnCancel(func(error) {
				start()
				if l.traits&registersMore != 0 {
					c.OnCancel(func(error) { start() })
				}
			})
			if l.traits&stopped != 0 {
				l.besides.Go(func() { r.Stop() })
			}
		}
		if l.traits&flagged != 0 {
			c.Flag()
		}
		if l.traits&cleaned != 0 {
			c.Cleanup(func(bool) {})
		}
		if l.traits&abandons != 0 {
			c.AbandonAfter(50 * time.Microsecond)
		}
		if l.traits&yields != 0 {
			for range 30 {
				runtime.Gosched()
			}
		}
		if l.traits&nests != 0 {
			native.Inline(ctx, func(c *native.Call) (int, error) { c.OnCancel(func(error) {}); return 0, nil })
		}
		seen := c.Cancelled()
		if seen && !cancelled() {
			l.Error("cancelled, and nobody did")
		}
		if seen && l.traits&fails != 0 {
			return 0, errGone
		}
		return 1, nil
	}
	do := native.Inline[int]
	if l.traits&dedicated != 0 {
		do = native.Do[int]
	}
	_, err := do(ctx, fn)
	if !errors.Is(err, native.ErrAbandoned) {
		over.Store(true)
	}
	if err != nil && !cancelled() {
		l.Errorf("nobody has cancelled: %v", err)
	}
}
