package measurement

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
	"github.com/hangup-go/hangup/bench/internal/server"
)

// A Set is how a server is set up whose requests are compared with a plain one's.
type Set string

// The sets.
const (
	Plain      Set = "plain, against itself" // nothing but the noise of the measuring
	Configured Set = "configured"            // as the README says: nothing is around what Configure made
	Around     Set = "configured, a handler around it"
)

// plain is what the others are compared with.
const plain Set = "plain"

// sets are servers of their own, with no more in their handler than it takes.
var sets = map[Set]server.Config{
	plain:      {Handler: answer},
	Plain:      {Handler: answer},
	Configured: {Handler: answer, Configured: true},
	Around: {Handler: answer, Configured: true, Around: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
	}},
}

var answer = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, protocol.Answer) })

// slice is short, so that both of a pair meet the same noise of the machine.
const slice = 50 * time.Millisecond

// A bill is what a slice cost per request.
type bill struct{ wall, cpu, allocs float64 }

// Requests measures what a set costs requests that nobody leaves and whose handler writes a few
// bytes: a plain server and one of the set take turns with one client for slices of time, for the budget. Chance says
// which of a pair is the first.
func (l *Lab) Requests(ctx context.Context, p protocol.Protocol, s Set, budget time.Duration, step func(part float64)) (result.RequestCost, error) {
	var base, other []bill
	start := time.Now()
	const warm = 4
	for i := 0; i < warm+2 || time.Since(start) < budget; i++ {
		if ctx.Err() != nil {
			return result.RequestCost{}, context.Cause(ctx)
		}
		var pair [2]bill
		for _, j := range rand.Perm(len(pair)) {
			b, err := l.slice(p, []Set{plain, s}[j])
			if err != nil {
				return result.RequestCost{}, err
			}
			pair[j] = b
		}
		if i >= warm {
			base, other = append(base, pair[0]), append(other, pair[1])
		}
		step(min(float64(time.Since(start))/float64(budget), 1))
	}
	return requestCost(p, s, base, other), nil
}

func requestCost(p protocol.Protocol, s Set, base, other []bill) result.RequestCost {
	var slower, cpu, allocs, baseWall, otherWall, baseCPU []float64
	for i := range base {
		slower = append(slower, 100*(1-base[i].wall/other[i].wall)) // of requests per second
		cpu = append(cpu, 100*(other[i].cpu/base[i].cpu-1))
		allocs = append(allocs, other[i].allocs-base[i].allocs)
		baseWall, otherWall, baseCPU = append(baseWall, base[i].wall), append(otherWall, other[i].wall), append(baseCPU, base[i].cpu)
	}
	return result.RequestCost{
		Protocol: string(p), Set: string(s), Slices: len(base), Slower: result.MedianOf(slower), CPU: result.MedianOf(cpu),
		PlainPerSec: 1e9 / result.RatioOf(baseWall).Median, OursPerSec: 1e9 / result.RatioOf(otherWall).Median,
		PlainCPU: time.Duration(result.RatioOf(baseCPU).Median),
		Allocs:   result.RatioOf(allocs).Median, Samples: result.Parts(cpu, parts),
	}
}

func (l *Lab) slice(p protocol.Protocol, s Set) (bill, error) {
	cpu, mallocs := used()
	res, err := l.client.Load(p, l.cost[s].Addr(p), slice)
	if err != nil {
		return bill{}, err
	}
	cpu2, mallocs2 := used()
	n := float64(max(res.Requests, 1))
	return bill{float64(res.Took) / n, float64(cpu2-cpu) / n, float64(mallocs2-mallocs) / n}, nil
}
