package measurement

import (
	"context"
	"testing"
	"time"

	"github.com/hangup-go/hangup/bench/internal/load"
)

// spins is a row whose calls take so long each.
func spins(d time.Duration) turn {
	return turn{"spins", false, func(n int) {
		for range n {
			for end := time.Now().Add(d); time.Now().Before(end); {
			}
		}
	}}
}

// A cost that is known is measured within 5 percent, as is its ratio to the first row's. The clock by which it is known
// costs a microsecond itself where it takes a system call.
func TestInTurns_knownCost(t *testing.T) {
	got, err := inTurns(t.Context(), []turn{spins(200 * time.Microsecond), spins(600 * time.Microsecond)}, time.Second, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	within := func(v, want float64) bool { return v > want*0.95 && v < want*1.05 }
	if a, b := got[0], got[1]; !within(a.NS.Median, 200e3) || !within(b.NS.Median, 600e3) || a.Against.Median != 1 || !within(b.Against.Median, 3) || len(a.Samples) != parts {
		t.Errorf("%+v\n%+v\nwant 200 and 600 µs, 1 and 3", a, b)
	}
}

// Polls compares a poll by C's own function with one by a Go callback: which is dearer, whatever the machine.
func TestPolls(t *testing.T) {
	got, err := Polls(t.Context(), 100*time.Millisecond, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Ours || !got[1].Ours || got[1].Against.Median > 0.5 || got[1].NS.Median <= 0 {
		t.Errorf("%+v", got)
	}
}

// Cancel's times are taken while the load goes on, and it has ended when they are returned.
func TestCancel(t *testing.T) {
	l := newLab(t)
	began, ended := 0, 0
	ld := load.Load{Name: "some", Start: func(context.Context, load.Host) (func(), error) {
		began++
		return func() { ended++ }, nil
	}}
	got, err := l.Cancel(t.Context(), ld, 100*time.Millisecond, func(float64) {
		if began != 1 || ended != 0 {
			t.Errorf("the load has begun %d times, and ended %d", began, ended)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if ended != 1 || got.Load != "some" || got.Time.N < 1000 || got.Time.P50 <= 0 || got.Time.P50 > time.Millisecond {
		t.Errorf("ended %d times: %+v", ended, got)
	}
}
