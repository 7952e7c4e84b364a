package measurement

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/engine"
	"github.com/hangup-go/hangup/bench/internal/result"
	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// A callRow is one whose cost per call is measured. Ours and the raw call are made in loops of the same form, so that what is
// between them is the library.
type callRow struct {
	name string
	ours bool
	ctx  func(stop *[]func()) context.Context
	bind func(c *contender.Call, ctx context.Context) (calls func(n int))
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

// raw is the native call alone.
func raw(c *contender.Call, _ context.Context) func(int) {
	p := c.Word.Pointer()
	return func(n int) {
		for range n {
			_ = engine.Look(p)
		}
	}
}

// look is the native call, of a library's user.
func look(k *native.Call) (uint64, error) { return engine.Look(k.Flag().Pointer()), nil }

func inline(_ *contender.Call, ctx context.Context) func(int) {
	return func(n int) {
		for range n {
			_, _ = native.Inline(ctx, look)
		}
	}
}

func inlineCallback(c *contender.Call, ctx context.Context) func(int) {
	stop := func(error) { c.Word.Cancel() }
	fn := func(k *native.Call) (uint64, error) {
		k.OnCancel(stop)
		return look(k)
	}
	return func(n int) {
		for range n {
			_, _ = native.Inline(ctx, fn)
		}
	}
}

func do(_ *contender.Call, ctx context.Context) func(int) {
	return func(n int) {
		for range n {
			_, _ = native.Do(ctx, look)
		}
	}
}

// rival makes calls of a contender's.
func rival(r contender.Contender) func(*contender.Call, context.Context) func(int) {
	return func(c *contender.Call, ctx context.Context) func(int) {
		run := r.New(c)
		return func(n int) {
			for range n {
				run(ctx)
			}
		}
	}
}

// callRows are what takes turns. The first is what the others are compared with.
func callRows() []callRow {
	rows := []callRow{
		{"the C call alone", false, plainContext, raw},
		{"native.Inline, the request's context", true, requestContext, inline},
		{"native.Inline with a callback", true, requestContext, inlineCallback},
		{"native.Inline, any other context", true, plainContext, inline},
		{"native.Do, the request's context", true, requestContext, do},
		{"native.Do, any other context", true, plainContext, do},
	}
	for _, c := range contender.Rivals {
		if !c.NoC {
			rows = append(rows, callRow{c.Name, false, plainContext, rival(c)})
		}
	}
	return rows
}

// parts of a run are what a comparison with another has as its samples.
const parts = 20

// Calls measures what a native call costs that nobody cancels and that looks once at its flag: rows take
// turns, for the budget.
func Calls(ctx context.Context, budget time.Duration, step func(part float64)) ([]result.CallCost, error) {
	rows := callRows()
	turns := make([]turn, len(rows))
	var stops []func()
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	for i, r := range rows {
		call := contender.NewCall(contender.Looks, 0)
		stops = append(stops, call.Free)
		turns[i] = turn{r.name, r.ours, r.bind(call, r.ctx(&stops))}
	}
	return inTurns(ctx, turns, budget, step)
}

// A turn is a row's in a round.
type turn struct {
	name string
	ours bool
	do   func(n int)
}

// turnTime is about how long a turn is: the world was stopped before it, to count what was allocated, and that wears off in
// less than a tenth of it.
const turnTime = 2 * time.Millisecond

// count is how often the row does what it does in its turn.
func (t turn) count() int {
	const tries = 100
	start := time.Now()
	t.do(tries)
	return max(int(tries*turnTime/max(time.Since(start), 1)), 1)
}

// inTurns measures rows, which take turns in a new order by chance in each round, for the budget. The first is what the
// others are compared with, round by round.
func inTurns(ctx context.Context, rows []turn, budget time.Duration, step func(part float64)) ([]result.CallCost, error) {
	ns, ratios, allocs := make([][]float64, len(rows)), make([][]float64, len(rows)), make([][]float64, len(rows))
	n := make([]int, len(rows))
	for i, r := range rows {
		r.do(10) // what is made on first use
		n[i] = r.count()
	}
	start := time.Now()
	for round := 0; round < 3 || time.Since(start) < budget; round++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		took := make([]float64, len(rows))
		for _, i := range rand.Perm(len(rows)) {
			_, before := used()
			rows[i].do(n[i] / 10)
			began := time.Now()
			rows[i].do(n[i])
			took[i] = float64(time.Since(began)) / float64(n[i])
			_, after := used()
			allocs[i] = append(allocs[i], float64(after-before)/float64(n[i]+n[i]/10))
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
			Name: r.name, Ours: r.ours, NS: result.RatioOf(ns[i]), Against: result.RatioOf(ratios[i]),
			Allocs: result.RatioOf(allocs[i]).Median, Samples: result.Parts(ns[i], parts),
		})
	}
	return out, nil
}
