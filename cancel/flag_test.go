package cancel_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

func word(f cancel.Flag) *atomic.Uint64 { return (*atomic.Uint64)(f.Pointer()) }

// C6: the word is set when Cancel returns, and before a callback starts, and a
// flag made late is set from the start.
func TestFlag_first(t *testing.T) {
	var tok cancel.Token
	defer tok.Close()
	f := tok.Flag()
	if f.IsSet() || word(f).Load() != 0 || uintptr(f.Pointer())%128 != 0 {
		t.Fatalf("fresh flag at %p reads %d", f.Pointer(), word(f).Load())
	}
	atStart := make(chan uint64, 1)
	tok.OnCancel(func(error) { atStart <- word(f).Load() })
	tok.Cancel(errGone)
	if !f.IsSet() || word(f).Load() != 1 || *(*uint32)(f.Pointer()) != 1 {
		t.Errorf("after Cancel the word is %d", word(f).Load())
	}
	if got := within(t, "the callback", atStart); got != 1 {
		t.Errorf("the callback saw %d", got)
	}
	tok.Drain()

	var late cancel.Token
	defer late.Close()
	late.Cancel(errGone)
	if !late.Flag().IsSet() {
		t.Error("a flag made after Cancel is not set")
	}
	if (cancel.Flag{}).IsSet() || (cancel.Flag{}).Pointer() != nil {
		t.Error("the zero Flag points somewhere")
	}
}

// A slot is recycled when the token is closed and the last borrow released, not
// before, and comes back clear.
func TestFlag_recycledLast(t *testing.T) {
	before := cancel.FlagsInUse()
	var tok cancel.Token
	for range 2 {
		if !tok.Acquire() {
			t.Fatal("a live token can't be borrowed")
		}
	}
	f := tok.Flag()
	tok.Cancel(errGone)
	tok.Close()
	tok.Release()
	if cancel.FlagsInUse() != before+1 || !f.IsSet() {
		t.Fatal("the slot was recycled under a borrower")
	}
	if tok.Acquire() {
		t.Fatal("a closed token was borrowed")
	}
	tok.Release()
	if cancel.FlagsInUse() != before {
		t.Fatal("the slot was not recycled")
	}

	var next cancel.Token
	defer next.Close()
	if next.Flag() != f {
		t.Fatal("the slot was not reused")
	}
	if next.Flag().IsSet() {
		t.Error("a reused slot is set")
	}
	if tok.Cancel(errGone); next.Flag().IsSet() {
		t.Error("a late Cancel reached a reused slot")
	}
}

// A Release that comes to its end only after Reset takes nothing from the token's
// next life.
func TestFlag_resetRace(t *testing.T) {
	before := cancel.FlagsInUse()
	for range 20_000 {
		var tok cancel.Token
		tok.Acquire()
		tok.Flag()
		tok.Cancel(errGone)
		tok.Close()
		released := make(chan struct{})
		go func() { defer close(released); tok.Release() }()
		for cancel.Borrowed(&tok) {
			runtime.Gosched()
		}
		tok.Reset()
		f := tok.Flag()
		if f.IsSet() {
			t.Fatal("a live token has a set flag")
		}
		<-released
		if tok.Flag() != f || cancel.FlagsInUse() != before+1 {
			t.Fatal("the late Release took the new flag")
		}
		tok.Close()
	}
}

// N4 at its root: borrowers, a canceller and the owner race, and no slot is ever
// seen set by a token that was not cancelled, lost, or recycled twice.
func TestFlag_recycle_race(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	before := cancel.FlagsInUse()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				raceOneFlag(t, g+i)
			}
		})
	}
	wg.Wait()
	if left := cancel.FlagsInUse() - before; left != 0 {
		t.Errorf("%d slots lost or recycled twice", left)
	}
}

func raceOneFlag(t *testing.T, i int) {
	tok := new(cancel.Token)
	var wg sync.WaitGroup
	for range 2 {
		if !tok.Acquire() {
			t.Error("a live token can't be borrowed")
		}
		wg.Go(func() {
			f := tok.Flag()
			spin(i)
			if f.IsSet() && !tok.Cancelled() {
				t.Error("the flag of a live token is set")
			}
			tok.Release()
		})
	}
	if i%2 == 0 {
		wg.Go(func() { tok.Cancel(errGone) })
	}
	spin(i / 3)
	tok.Close()
	wg.Wait()
}

// N11: the flag's time is between those before and after the Cancel that set it, also
// through a link, and gone in the token's next life.
func TestToken_FlagSetAt(t *testing.T) {
	var tok, child cancel.Token
	defer child.Close()
	if tok.Flag(); !tok.FlagSetAt().IsZero() {
		t.Error("a flag that is not set has a time")
	}
	child.Flag()
	tok.Link(&child)
	before := time.Now()
	tok.Cancel(nil)
	after := time.Now()
	for _, at := range []time.Time{tok.FlagSetAt(), child.FlagSetAt()} {
		if at.Before(before) || at.After(after) {
			t.Errorf("set at %v, want between %v and %v", at, before, after)
		}
	}
	tok.Close()
	tok.Drain()
	tok.Reset()
	defer tok.Close()
	if tok.Flag(); !tok.FlagSetAt().IsZero() {
		t.Error("the time of an earlier life")
	}
}

// N11: who sees the word set gets its time, however soon.
func TestToken_FlagSetAt_race(t *testing.T) {
	cancels, cancelled := make(chan *cancel.Token, 1), make(chan bool)
	go func() {
		for tok := range cancels {
			tok.Cancel(nil)
			cancelled <- true
		}
	}()
	defer close(cancels)
	for range 20_000 {
		var tok cancel.Token
		f, before := tok.Flag(), time.Now()
		cancels <- &tok
		for spins := 1; !f.IsSet(); spins++ {
			if spins%256 == 0 { // one processor
				runtime.Gosched()
			}
		}
		if at := tok.FlagSetAt(); at.Before(before) {
			t.Fatalf("set, and its time is %v, before %v", at, before)
		}
		<-cancelled
		tok.Close()
	}
}
