// Package suite is what a run measures, and for how long.
package suite

import (
	"slices"
	"time"

	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/load"
	"github.com/hangup-go/hangup/bench/internal/measurement"
	"github.com/hangup-go/hangup/bench/internal/protocol"
)

// A Plan is what is measured, and for how long.
type Plan struct {
	Quick    bool
	Series   []measurement.Series
	Costs    []Cost
	Requests time.Duration // per Cost
	Calls    time.Duration
	Micro    time.Duration // per thing of less than a call
	Counted  []contender.Contender
	Kinds    []protocol.Kind // that are counted
	Clients  int             // per count
	Wasted   int             // clients per contender and kind that are paid for
	Work     time.Duration   // of each
}

// A Cost is what requests are to be measured for: what a set costs on a protocol.
type Cost struct {
	protocol.Protocol
	measurement.Set
}

// costs are what Configure costs, by protocol, and beside it the noise, and what a handler around it costs.
func costs() (c []Cost) {
	for _, p := range protocol.All {
		c = append(c, Cost{p, measurement.Configured})
	}
	return append(c, Cost{protocol.HTTP1, measurement.Around}, Cost{protocol.HTTP1, measurement.Plain})
}

// For returns the plan with its times such that it takes about so long. What is counted stays as it is.
func (p Plan) For(d time.Duration) Plan {
	fixed, free := p.counting(), time.Duration(len(p.Costs))*p.Requests+p.Calls+3*p.Micro
	for _, s := range p.Series {
		free += s.Budget
	}
	scale := max(float64(d-fixed)/float64(free), 0)
	scaled := func(d time.Duration) time.Duration { return time.Duration(scale * float64(d)) }
	p.Requests, p.Calls, p.Micro = scaled(p.Requests), scaled(p.Calls), scaled(p.Micro)
	p.Series = append([]measurement.Series{}, p.Series...)
	for i := range p.Series {
		s := &p.Series[i]
		s.Budget = scaled(s.Budget)
		if most := max(int(4*scale*float64(s.Count)), 10); s.Count > most { // a round is to fit
			s.Count, s.Pollers = most, min(s.Pollers, most)
		}
	}
	return p
}

// counting is about how long it takes to count.
func (p Plan) counting() time.Duration { return p.countTime() + p.wasteTime() }

func (p Plan) countTime() time.Duration {
	return time.Duration(len(p.Counted)*len(p.Kinds)) * 700 * time.Millisecond
}

func (p Plan) wasteTime() time.Duration {
	return time.Duration(len(p.Counted)*2*p.Wasted) * p.Work * 2 / 3
}

// series are places under a load that begins before their requests: at rest, or so that the machine is not full.
func series(l load.Load, places []measurement.Place, count int, budget time.Duration) measurement.Series {
	return measurement.Series{Load: l, Places: places, Budget: budget, Count: count, Pollers: min(count, 10), Gap: 2 * time.Millisecond}
}

// busy are places under a load that takes every core. Dozens of requests are in flight at once and leave at moments
// that are independent, over a time in which the scheduler has come round often: so that a few rounds, though the rivals take
// a third of a second each, have the samples that a p99 takes.
func busy(l load.Load, places []measurement.Place, count int, budget time.Duration) measurement.Series {
	return measurement.Series{Load: l, Places: places, Budget: budget, Count: count, Pollers: (count*2 + 4) / 5, Gap: 10 * time.Millisecond}
}

// Full is the whole, in under fifteen minutes on two cores.
func Full() Plan {
	return Plan{
		Series: []measurement.Series{
			series(load.Idle, all(), 40, 135*time.Second),
			busy(load.Busy4, slices.Concat(contenders(), closed(), protocols()), 60, 85*time.Second),
			busy(load.Spare4, slices.Concat(few(), protocols()), 60, 40*time.Second),
			busy(load.Bounded4, slices.Concat(few(), protocols()), 60, 35*time.Second),
			busy(load.Busy16, slices.Concat(contenders(), closed(), stages(protocol.HTTP1, protocol.HTTP2, protocol.HTTP3, protocol.HTTP2Closed)), 100, 190*time.Second),
			busy(load.Bounded16, slices.Concat(few(), protocols()), 60, 35*time.Second),
			series(load.InC, contenders(), 50, 25*time.Second),
			series(load.GC, contenders(), 50, 35*time.Second),
			series(load.Flight, contenders(), 50, 35*time.Second),
		},
		Costs: costs(), Requests: 20 * time.Second, Calls: 25 * time.Second, Micro: 3 * time.Second,
		Counted: counted(), Kinds: measurement.Kinds, Clients: 50, Wasted: 10, Work: 50 * time.Millisecond,
	}
}

// Quick is a look at everything, in under a minute. Its figures are too few to quote.
func Quick() Plan {
	return Plan{
		Quick: true,
		Series: []measurement.Series{
			series(load.Idle, all(), 10, 10*time.Second), busy(load.Busy4, few(), 20, 4*time.Second),
			busy(load.Bounded4, few(), 20, 2*time.Second), busy(load.Busy16, few(), 10, 5*time.Second),
		},
		Costs: costs(), Requests: 700 * time.Millisecond, Calls: 2 * time.Second, Micro: 300 * time.Millisecond,
		Counted: counted(), Kinds: []protocol.Kind{protocol.Unread, protocol.Answered}, Clients: 5, Wasted: 1, Work: 20 * time.Millisecond,
	}
}

func on(c contender.Contender) measurement.Place {
	return measurement.Place{Contender: c, Protocol: protocol.HTTP1}
}

func rival(name string) contender.Contender {
	c, ok := contender.ByName(name)
	if !ok {
		panic("no contender has the name " + name)
	}
	return c
}

// contenders are the contenders on HTTP/1.1: hangup's ways that rivals have as well, and the rivals.
func contenders() (places []measurement.Place) {
	for _, name := range []string{"hangup, futex", "hangup, OnCancel", "hangup, flag"} {
		places = append(places, on(rival(name)))
	}
	for _, c := range contender.Rivals {
		places = append(places, on(c))
	}
	return places
}

// few are hangup and one rival.
func few() []measurement.Place {
	return []measurement.Place{on(contender.Ways[0]), on(rival("context.AfterFunc"))}
}

// closed is a rival where the client closes its connection of HTTP/2.
func closed() []measurement.Place {
	return []measurement.Place{{Contender: rival("context.AfterFunc"), Protocol: protocol.HTTP2Closed}}
}

// protocols are the stages of a cancel, by protocol.
func protocols() []measurement.Place {
	return stages(append(slices.Clone(protocol.All), protocol.HTTP2Closed)...)
}

func stages(protocols ...protocol.Protocol) (places []measurement.Place) {
	for _, p := range protocols {
		places = append(places, measurement.Place{Contender: contender.Ways[0], Protocol: p, Observed: true})
	}
	return places
}

// all are the contenders on HTTP/1.1, the stages, and beside them what people write today on the other protocols.
func all() (places []measurement.Place) {
	for _, c := range contender.Ways {
		places = append(places, on(c))
	}
	for _, c := range contender.Rivals {
		places = append(places, on(c))
	}
	for _, p := range protocol.All[1:] {
		for _, name := range []string{"hangup, futex", "context.AfterFunc", "r.Context() alone"} {
			places = append(places, measurement.Place{Contender: rival(name), Protocol: p})
		}
	}
	return append(places, protocols()...)
}

func counted() []contender.Contender {
	c := []contender.Contender{rival("hangup, futex"), rival("hangup, OnCancel")}
	return append(append(c, contender.Rivals...), contender.Careless...)
}
