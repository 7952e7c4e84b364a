package cancel_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/cancel"
)

// kept is something a token keeps.
type kept func()

func (k kept) Free() { k() }

// What a token keeps has one user at a time, and goes back once, when the token is closed
// and nobody has borrowed it: whatever Close, Release and Reset meet.
func TestToken_kept_race(t *testing.T) {
	n := 3_000
	if testing.Short() {
		n = 300
	}
	var inUse, made, freed atomic.Int64
	tok := new(cancel.Token)
	for range n {
		freed.Store(0)
		made.Store(0)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 8 {
					borrowKept(t, tok, &inUse, &made, &freed)
					if g == 0 && i == 4 {
						tok.Close()
					}
				}
			})
		}
		wg.Wait()
		if made.Load() > 1 || freed.Load() != made.Load() {
			t.Fatalf("%d made, %d given back", made.Load(), freed.Load())
		}
		tok.Reset()
	}
}

func borrowKept(t *testing.T, tok *cancel.Token, inUse, made, freed *atomic.Int64) {
	place, ok := tok.AcquireKept()
	switch {
	case !ok:
		return
	case place == nil:
		tok.Release()
		return
	}
	if inUse.Add(1) != 1 {
		t.Error("lent to two at once")
	}
	if *place == nil {
		made.Add(1)
		*place = kept(func() {
			freed.Add(1)
			if inUse.Load() != 0 {
				t.Error("given back while it is lent")
			}
		})
	}
	runtime.Gosched()
	inUse.Add(-1)
	if !tok.ReleaseKept() {
		t.Error("the loan has not ended")
	}
}

// What is kept goes back also if the last borrow ends with a callback that it stops.
func TestToken_keptWithCallback(t *testing.T) {
	var tok cancel.Token
	freed := 0
	place, _ := tok.AcquireKept()
	*place = kept(func() { freed++ })
	tok.OnCancelFirst(func(error) { t.Error("started") })
	tok.Flag()
	before := cancel.FlagsInUse()
	tok.Close()
	if freed != 0 || !tok.ReleaseKept() || freed != 1 || cancel.FlagsInUse() != before-1 {
		t.Errorf("given back %d times; %d flags in use, before %d", freed, cancel.FlagsInUse(), before)
	}
	tok.Cancel(errGone)
	tok.Reset()
}

// Reset gives back what Close left behind, if anything is left, and a token that has
// kept nothing gives back nothing.
func TestToken_keptAtClose(t *testing.T) {
	var tok cancel.Token
	freed := 0
	for range 2 {
		place, ok := tok.AcquireKept()
		if !ok || place == nil || *place != nil {
			t.Fatalf("a new token: %v, %v", place, ok)
		}
		*place = kept(func() { freed++ })
		tok.Acquire()
		tok.ReleaseKept()
		tok.Close()
		if freed != 0 {
			t.Error("given back under a borrow")
		}
		tok.Release()
		if freed != 1 {
			t.Errorf("given back: %d", freed)
		}
		tok.Reset()
		freed = 0
	}
}
