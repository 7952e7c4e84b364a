package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hangup-go/hangup/bench/internal/load"
	"github.com/hangup-go/hangup/bench/internal/measurement"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
)

// A Progress is told how far a run is.
type Progress interface {
	// Begin says what comes next, and which part of the whole it is.
	Begin(what string, part float64)
	// Step says which part of that is done.
	Step(part float64)
}

// A part is one thing that a plan measures.
type part struct {
	what   string
	budget time.Duration
	run    func(ctx context.Context, step func(float64)) error
}

// Run measures what the plan says. If ctx ends, it returns its cause.
func Run(ctx context.Context, p Plan, progress Progress) (*result.Results, error) {
	res := &result.Results{Format: result.Format, Machine: result.ThisMachine(), Started: time.Now().Truncate(time.Second), Quick: p.Quick}
	if res.Machine.Busy() {
		res.Notes = append(res.Notes, "The machine had other work as the run began: its figures are for trying out")
	}
	lab, err := measurement.NewLab()
	if err != nil {
		return nil, err
	}
	defer lab.Close()
	parts := p.parts(lab, res)
	var total time.Duration
	for _, part := range parts {
		total += part.budget
	}
	for _, part := range parts {
		progress.Begin(part.what, float64(part.budget)/float64(total))
		if err := part.run(ctx, progress.Step); err != nil {
			return nil, fmt.Errorf("%s: %w", part.what, err)
		}
		progress.Step(1)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	res.Machine.LoadAfter = result.LoadAverage()
	res.Took = time.Since(res.Started).Round(time.Second)
	return res, nil
}

func (p Plan) parts(lab *measurement.Lab, res *result.Results) (parts []part) {
	add := func(what string, budget time.Duration, run func(context.Context, func(float64)) error) {
		parts = append(parts, part{what, budget, run})
	}
	// What is quiet first: a load's threads take a while to go.
	add("cost of a call", p.Calls, func(ctx context.Context, step func(float64)) (err error) {
		res.Calls, err = measurement.Calls(ctx, p.Calls, step)
		return err
	})
	add("cost of a poll", p.Micro, func(ctx context.Context, step func(float64)) (err error) {
		res.Polls, err = measurement.Polls(ctx, p.Micro, step)
		return err
	})
	for _, ld := range []load.Load{load.Idle, load.Busy4} {
		add("from Cancel to the flag, "+ld.Name, p.Micro, func(ctx context.Context, step func(float64)) error {
			c, err := lab.Cancel(ctx, ld, p.Micro, step)
			res.Cancels = append(res.Cancels, c)
			return err
		})
	}
	for _, c := range p.Costs {
		add(fmt.Sprintf("cost of a request, %s, %s", c.Protocol, c.Set), p.Requests, func(ctx context.Context, step func(float64)) error {
			c, err := lab.Requests(ctx, c.Protocol, c.Set, p.Requests, step)
			res.Requests = append(res.Requests, c)
			return err
		})
	}
	add("missed and false cancels", p.countTime(), func(ctx context.Context, step func(float64)) error {
		return p.count(ctx, lab, res, step)
	})
	add("waste", p.wasteTime(), func(ctx context.Context, step func(float64)) error {
		return p.waste(ctx, lab, res, step)
	})
	for _, s := range p.Series {
		add("latency, "+s.Load.Name, s.Budget, func(ctx context.Context, step func(float64)) error {
			cells, err := lab.Latency(ctx, s, step)
			if errors.Is(err, load.ErrDescriptors) {
				res.Notes = append(res.Notes, fmt.Sprintf("not measured: %s: %v", s.Load.Name, err))
				return nil
			}
			res.Latency = append(res.Latency, cells...)
			return err
		})
	}
	return parts
}

func (p Plan) count(ctx context.Context, lab *measurement.Lab, res *result.Results, step func(float64)) error {
	for i, k := range p.Kinds {
		for j, c := range p.Counted {
			n, err := lab.Count(ctx, c, k, p.Clients)
			if err != nil {
				return err
			}
			res.Counts = append(res.Counts, n)
			step(float64(i*len(p.Counted)+j+1) / float64(len(p.Counted)*len(p.Kinds)))
		}
	}
	return nil
}

func (p Plan) waste(ctx context.Context, lab *measurement.Lab, res *result.Results, step func(float64)) error {
	kinds := []protocol.Kind{protocol.Get, protocol.Unread}
	for i, k := range kinds {
		for j, c := range p.Counted {
			w, err := lab.Waste(ctx, c, k, p.Wasted, p.Work)
			if err != nil {
				return err
			}
			res.Waste = append(res.Waste, w)
			step(float64(i*len(p.Counted)+j+1) / float64(len(p.Counted)*len(kinds)))
		}
	}
	return nil
}
