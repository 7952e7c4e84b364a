package measurement

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hangup-go/hangup/bench/internal/clock"
	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/engine"
	"github.com/hangup-go/hangup/bench/internal/load"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/measure"
)

// late is a contender whose C code takes so long to return once it has seen that it is cancelled.
func late(delay time.Duration) contender.Contender {
	return contender.Contender{Name: "late", Ours: true, New: func(c *contender.Call) func(context.Context) {
		return func(ctx context.Context) {
			_, _ = native.Do(ctx, func(k *native.Call) (int, error) {
				engine.Wait(k.Flag().Pointer(), c.Limit, &c.Marks)
				w := engine.NewWord()
				defer w.Free()
				engine.Wait(w.Pointer(), delay, new(engine.Marks))
				c.Stamp(contender.Returned)
				return 0, nil
			})
		}
	}}
}

// A delay that is known is measured within 5 percent, from the client's close to the handler's return, and the stages
// come in their order. Of several trips the quickest counts: others may want the processor as well.
func TestLatency_knownDelay(t *testing.T) {
	l := newLab(t)
	const delay = 200 * time.Millisecond
	for _, p := range protocol.All {
		trips, err := l.run(t.Context(), Batch{
			Contender: late(delay), Protocol: p, Observed: true, Mode: contender.Sleeps, Limit: time.Minute, Count: 20, Gap: 25 * time.Millisecond, // at many moments: the machine may have other work
		})
		if err != nil {
			t.Fatal(err)
		}
		quickest := time.Hour
		for _, r := range trips {
			quickest = min(quickest, time.Duration(r.handler-r.left))
			if r.left < r.planned || r.event < r.left && r.event != 0 || r.noticed < r.left || !slices.IsSorted([]int64{r.noticed, r.flag, r.seen, r.returned, r.done, r.handler}) {
				t.Errorf("%s: stages out of order: %+v", p, r)
			}
		}
		if quickest < delay || quickest > delay+delay/20 {
			t.Errorf("%s: the handler returned %v after the close, want %v and up to 5 percent", p, quickest, delay)
		}
	}
}

// Package measure finds the interval of native code that looks regularly within 5 percent. How regularly it does,
// on a machine that has other work as well, the code says itself.
func TestMeasure_findsTheInterval(t *testing.T) {
	var intervals []time.Duration
	d, err := measure.Cancel(t.Context(), measure.Call{N: 100, Run: func(ctx context.Context) error {
		_, err := native.Do(ctx, func(c *native.Call) (int, error) {
			last := int64(0)
			engine.GoCallback(func() bool {
				now := clock.Now()
				if last != 0 {
					intervals = append(intervals, time.Duration(now-last))
				}
				last = now
				return c.Flag().IsSet()
			}, engine.Pass{Every: 20 * time.Millisecond}, time.Minute, new(engine.Marks))
			return 0, nil
		})
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(intervals)
	want := intervals[len(intervals)/2]
	overslept := 2 * (intervals[len(intervals)*95/100] - want) // nothing, unless others want the processor
	if got := d.Interval(); got < want-want/20 || got > want+want/20+overslept {
		t.Errorf("found %v, want %v within 5 percent and %v: %v", got, want, overslept, d)
	}
}

// Who misses clients is reported so, and so is who cancels for nothing; the others are not.
func TestCount_missedAndFalse(t *testing.T) {
	l := newLab(t)
	const clients = 5
	for _, tt := range []struct {
		contender     string
		kind          protocol.Kind
		missed, wrong int
	}{
		{"hangup, futex", protocol.Get, 0, 0},
		{"hangup, futex", protocol.Unread, 0, 0},
		{"hangup, OnCancel", protocol.Pipelined, 0, 0},
		{"hangup, OnCancel", protocol.Expect, 0, 0},
		{"hangup, OnCancel", protocol.Answered, 0, 0},
		{"r.Context() alone", protocol.Get, 0, 0},
		{"r.Context() alone", protocol.Unread, clients, 0},
		{"context.AfterFunc", protocol.Unread, clients, 0},
		{"context.AfterFunc", protocol.Pipelined, clients, 0},
		{"context.AfterFunc", protocol.Answered, 0, 0},
		{"AfterFunc, never stopped", protocol.Unread, clients, 0},
		{"AfterFunc, never stopped", protocol.Answered, 0, clients},
	} {
		c, ok := contender.ByName(tt.contender)
		if !ok {
			t.Fatal("no contender", tt.contender)
		}
		got, err := l.Count(t.Context(), c, tt.kind, clients)
		if err != nil {
			t.Fatal(err)
		}
		if got.Missed != tt.missed || got.False != tt.wrong {
			t.Errorf("%s, %s: missed %d, false %d; want %d, %d", tt.contender, tt.kind, got.Missed, got.False, tt.missed, tt.wrong)
		}
	}
}

// Every contender stops its call, on every protocol, and comes to the stages that it has.
func TestContenders_stop(t *testing.T) {
	l := newLab(t)
	for _, c := range slices.Concat(contender.Ways, contender.Rivals, contender.Careless) {
		for _, p := range append(slices.Clone(protocol.All), protocol.HTTP2Closed) {
			trips, err := l.run(t.Context(), Batch{Contender: c, Protocol: p, Mode: contender.Sleeps, Limit: time.Minute, Count: 3, Gap: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			for _, trip := range trips {
				if trip.flag < trip.left || trip.handler < trip.flag || !c.Blind && (trip.seen < trip.left || trip.returned < trip.seen) {
					t.Errorf("%s on %s: %+v", c.Name, p, trip)
				}
			}
		}
	}
}

// What a client that left burns is most of the work where nobody stops it, and little where somebody does.
func TestWaste(t *testing.T) {
	l := newLab(t)
	const work = 200 * time.Millisecond
	for name, stops := range map[string]bool{"hangup, futex": true, "abandon the call": false} {
		c, _ := contender.ByName(name)
		w, err := l.Waste(t.Context(), c, protocol.Get, 2, work)
		if err != nil {
			t.Fatal(err)
		}
		if burnt := w.Burnt > work/4; burnt == stops { // less than all: others may have had the processor
			t.Errorf("%s burnt %v of %v", name, w.Burnt, work)
		}
	}
}

// A run that is given up ends, with the cause.
func TestLatency_interrupted(t *testing.T) {
	l := newLab(t)
	why := errors.New("enough")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(why)
	c, _ := contender.ByName("hangup, futex")
	_, err := l.Latency(ctx, Series{Load: load.Idle, Places: []Place{{Contender: c, Protocol: protocol.HTTP1}}, Count: 1}, func(float64) {})
	if !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
}

// What a server is set up with shows in its requests' allocations, and a plain one against itself has no more: the rows of
// the cost are of the servers that they name.
func TestRequests_sets(t *testing.T) {
	if sets[Around].Around == nil || sets[Configured].Around != nil {
		t.Error("it is the other set that has a handler around it")
	}
	l := newLab(t)
	for set, want := range map[Set][2]float64{Plain: {-0.5, 0.5}, Configured: {0.5, 1.5}, Around: {0.5, 1.5}} {
		c, err := l.Requests(t.Context(), protocol.HTTP1, set, 2*time.Second, func(float64) {})
		if err != nil {
			t.Fatal(err)
		}
		if c.Allocs < want[0] || c.Allocs > want[1] || c.Set != string(set) || c.PlainCPU == 0 {
			t.Errorf("%+v, want %v to %v allocations more", c, want[0], want[1])
		}
	}
}

// A load that comes late begins when all requests of a batch are inside their calls, goes on until their handlers have
// returned, and is anew for each batch.
func TestLatency_lateLoad(t *testing.T) {
	l := newLab(t)
	const count = 5
	begun, ended := 0, 0
	late := load.Load{Name: "late", Late: true, Start: func(context.Context, load.Host) (func(), error) {
		begun++
		l.mu.Lock()
		defer l.mu.Unlock()
		for path, trial := range l.trials {
			if trial.call.Marks.Started() == 0 || trial.call.At(contender.Done) != 0 {
				t.Errorf("%s is not inside", path)
			}
		}
		if len(l.trials) != count {
			t.Errorf("%d are in flight", len(l.trials))
		}
		return func() { ended++ }, nil
	}}
	c, _ := contender.ByName("hangup, OnCancel")
	cells, err := l.Latency(t.Context(), Series{
		Load: late, Places: []Place{{Contender: c, Protocol: protocol.HTTP1}, {Contender: c, Protocol: protocol.HTTP3}}, Count: count, Gap: time.Millisecond,
	}, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	if begun != 2 || ended != 2 || len(cells) != 2 || cells[0].Trials != count || cells[0].Missed != 0 {
		t.Errorf("begun %d times, ended %d: %+v", begun, ended, cells)
	}
}

// Times count from the client's close, and the way back from what C saw; who has missed the client has none.
func TestCell_times(t *testing.T) {
	c := newCell(Place{Protocol: protocol.HTTP1})
	c.add(trip{planned: 90, left: 100, flag: 130, seen: 150, returned: 200, done: 220, handler: 240})
	c.add(trip{planned: 90, left: 100})
	got := c.result("a load")
	for what, tt := range map[string][2]time.Duration{
		"late": {got.Times[result.Late].P50, 10}, "flag": {got.Times[result.Flag].P50, 30}, "seen": {got.Times[result.Seen].P50, 50},
		"done": {got.Times[result.Done].P50, 120}, "handler": {got.Times[result.Handler].P50, 140}, "back": {got.Back.P50, 70},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%s after %v, want %v", what, tt[0], tt[1])
		}
	}
	if got.Trials != 2 || got.Missed != 1 || got.Back.N != 1 || got.Times[result.Flag].N != 1 {
		t.Errorf("%+v", got)
	}
}
