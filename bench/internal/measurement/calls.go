package measurement

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/result"
	"github.com/hangup-go/hangup/cancel"
)

// A callRow is one whose cost per call is measured.
type callRow struct {
	name string
	contender.Contender
	ctx func(stop *[]func()) context.Context
}

// requestContext is a context like those of httpwire: governed by a token.
func requestContext(stop *[]func()) context.Context {
	t := new(cancel.Token)
	*stop = append(*stop, t.Close)
	return cancel.NewContext(context.Background(), t)
}

func plainContext(stop *[]func()) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	*stop = append(*stop, cancel)
	return ctx
}

// callRows are what takes turns. The first is what the others are compared with.
func callRows() []callRow {
	rows := []callRow{
		{"the C call alone", contender.Raw, plainContext},
		{"native.Inline, the request's context", contender.Inline, requestContext},
		{"native.Inline with a callback", contender.InlineCallback, requestContext},
		{"native.Inline, any other context", contender.Inline, plainContext},
		{"native.Do, the request's context", contender.Ways[0], requestContext},
		{"native.Do, any other context", contender.Ways[0], plainContext},
	}
	for _, c := range contender.Rivals {
		if !c.NoC {
			rows = append(rows, callRow{c.Name, c, plainContext})
		}
	}
	return rows
}

// parts of a run are what a comparison with another has as its samples.
const parts = 20

// callsPerRound is how many calls a row makes in its turn.
const callsPerRound = 2000

// Calls measures what a native call costs that nobody cancels and that looks once at its flag: rows take
// turns, for the budget.
func Calls(ctx context.Context, budget time.Duration, step func(part float64)) ([]result.CallCost, error) {
	rows := callRows()
	runs := make([]func(), len(rows))
	var stops []func()
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	for i, r := range rows {
		call := contender.NewCall(contender.Looks, 0)
		stops = append(stops, call.Free)
		run, ctx := r.New(call), r.ctx(&stops)
		runs[i] = func() { run(ctx) }
	}
	ns, ratios, allocs := make([][]float64, len(rows)), make([][]float64, len(rows)), make([][]float64, len(rows))
	start := time.Now()
	for round := 0; round < 3 || time.Since(start) < budget; round++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		took := make([]float64, len(rows))
		for _, i := range rand.Perm(len(rows)) {
			_, before := used()
			began := time.Now()
			for range callsPerRound {
				runs[i]()
			}
			took[i] = float64(time.Since(began)) / callsPerRound
			_, after := used()
			allocs[i] = append(allocs[i], float64(after-before)/callsPerRound)
		}
		for i := range rows {
			if round > 0 { // warm
				ns[i], ratios[i] = append(ns[i], took[i]), append(ratios[i], took[i]/took[0])
			}
		}
		step(min(float64(time.Since(start))/float64(budget), 1))
	}
	var out []result.CallCost
	for i, r := range rows {
		out = append(out, result.CallCost{
			Name: r.name, Ours: r.Ours, NS: result.RatioOf(ns[i]), Against: result.RatioOf(ratios[i]),
			Allocs: result.RatioOf(allocs[i]).Median, Samples: result.Parts(ns[i], parts),
		})
	}
	return out, nil
}
