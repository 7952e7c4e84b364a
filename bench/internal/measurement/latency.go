package measurement

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/load"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
)

// A Place is what takes turns with others under a load.
type Place struct {
	Contender contender.Contender
	Protocol  protocol.Protocol
	Observed  bool
}

// A Series is the places that take turns under one load, and for how long.
type Series struct {
	Load   load.Load
	Places []Place
	Budget time.Duration
	Count  int           // of requests in flight together
	Gap    time.Duration // between two that leave, about: long enough for a server's threads to fall asleep

	// Pollers is Count for calls that look once a millisecond: at rest more would keep a processor busy.
	Pollers int
}

// pause is between two servers at rest. The monitor of ours ends in it, and is no help or hindrance
// to the plain server.
const pause = 50 * time.Millisecond

// Latency measures a series, in rounds: each place has a batch in each, in an order that chance
// makes. It ends when another round would not fit into the budget, and makes one at least. step is told of the
// part of the budget that has passed.
func (l *Lab) Latency(ctx context.Context, s Series, step func(part float64)) ([]result.Cell, error) {
	if !s.Load.Late {
		stop, err := s.Load.Start(ctx, l)
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	cells := make([]*cell, len(s.Places))
	for i, p := range s.Places {
		cells[i] = newCell(p)
	}
	start, last := time.Now(), time.Duration(0)
	for {
		began := time.Now()
		for n, i := range rand.Perm(len(cells)) {
			if err := l.turn(ctx, s, cells[i]); err != nil {
				return nil, err
			}
			// Of a first round that is longer than the budget, its part.
			spent, round := time.Since(start), float64(n+1)/float64(len(cells))
			step(min(float64(spent)/float64(s.Budget), max(round, float64(last)/float64(s.Budget)), 1))
		}
		last = time.Since(began)
		if time.Since(start)+last > s.Budget {
			break
		}
	}
	var out []result.Cell
	for _, c := range cells {
		out = append(out, c.result(s.Load.Name))
	}
	return out, nil
}

// turn is a place's in a round.
func (l *Lab) turn(ctx context.Context, s Series, c *cell) error {
	b := Batch{
		Contender: c.Contender, Protocol: c.Protocol, Observed: c.Observed,
		Mode: contender.Sleeps, Limit: patience / 2, Count: s.Count, Gap: s.Gap,
	}
	if c.Contender.Polls {
		b.Count = s.Pollers
	}
	if s.Load.Late {
		b.Load = &s.Load
	}
	trips, err := l.run(ctx, b)
	if err != nil {
		return err
	}
	for _, t := range trips {
		c.add(t)
	}
	c.endRound()
	time.Sleep(pause)
	return nil
}

// A cell gathers what a place's trips came to.
type cell struct {
	Place
	trials, missed int
	times          map[result.Stage]*result.Recorder
	back           *result.Recorder
}

func newCell(p Place) *cell {
	c := &cell{Place: p, times: map[result.Stage]*result.Recorder{}, back: result.NewRecorder()}
	for _, s := range result.Stages {
		c.times[s] = result.NewRecorder()
	}
	return c
}

func (c *cell) add(t trip) {
	c.trials++
	if t.flag == 0 {
		c.missed++
		return
	}
	c.times[result.Late].Record(time.Duration(t.left - t.planned))
	for s, at := range map[result.Stage]int64{
		result.Event: t.event, result.Noticed: t.noticed, result.Flag: t.flag, result.Seen: t.seen,
		result.Returned: t.returned, result.Done: t.done, result.Handler: t.handler,
	} {
		if at != 0 {
			c.times[s].Record(time.Duration(at - t.left))
		}
	}
	if t.seen != 0 && t.done != 0 {
		c.back.Record(time.Duration(t.done - t.seen))
	}
}

func (c *cell) endRound() {
	for _, r := range c.times {
		r.EndRound()
	}
	c.back.EndRound()
}

// keep are the stages whose whole distribution is drawn.
var keep = map[result.Stage]bool{result.Flag: true, result.Handler: true}

func (c *cell) result(load string) result.Cell {
	res := result.Cell{
		Load: load, Protocol: string(c.Protocol), Contender: c.Contender.Name, Ours: c.Contender.Ours,
		Polls: c.Contender.Polls, Observed: c.Observed, Trials: c.trials, Missed: c.missed, Times: map[result.Stage]result.Dist{},
	}
	for s, r := range c.times {
		if d := r.Dist(keep[s]); d.N > 0 {
			res.Times[s] = d
		}
	}
	res.Back = c.back.Dist(false)
	return res
}
