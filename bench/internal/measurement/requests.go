package measurement

import (
	"context"
	"time"

	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
)

// slice is short, so that both of a pair meet the same noise of the machine.
const slice = 50 * time.Millisecond

// A bill is what a slice cost per request.
type bill struct{ wall, cpu, allocs float64 }

// Requests measures what Configure costs requests that nobody leaves and whose handler writes a few
// bytes: a plain and a configured server take turns with one client for slices of time, for the budget.
func (l *Lab) Requests(ctx context.Context, p protocol.Protocol, budget time.Duration, step func(part float64)) (result.RequestCost, error) {
	var plain, ours []bill
	start := time.Now()
	const warm = 4
	for i := 0; i < warm+2 || time.Since(start) < budget; i++ {
		if ctx.Err() != nil {
			return result.RequestCost{}, context.Cause(ctx)
		}
		var pair [2]bill
		for j := range pair {
			j ^= i & 1 // neither always goes first
			b, err := l.slice(p, j == 1)
			if err != nil {
				return result.RequestCost{}, err
			}
			pair[j] = b
		}
		if i >= warm {
			plain, ours = append(plain, pair[0]), append(ours, pair[1])
		}
		step(min(float64(time.Since(start))/float64(budget), 1))
	}
	return requestCost(p, plain, ours), nil
}

func requestCost(p protocol.Protocol, plain, ours []bill) result.RequestCost {
	var slower, cpu, allocs, plainWall, oursWall []float64
	for i := range plain {
		slower = append(slower, 100*(1-plain[i].wall/ours[i].wall)) // of requests per second
		cpu = append(cpu, 100*(ours[i].cpu/plain[i].cpu-1))
		allocs = append(allocs, ours[i].allocs-plain[i].allocs)
		plainWall, oursWall = append(plainWall, plain[i].wall), append(oursWall, ours[i].wall)
	}
	return result.RequestCost{
		Protocol: string(p), Slices: len(plain), Slower: result.RatioOf(slower), CPU: result.RatioOf(cpu),
		PlainPerSec: 1e9 / result.RatioOf(plainWall).Median, OursPerSec: 1e9 / result.RatioOf(oursWall).Median,
		Allocs: result.RatioOf(allocs).Median, Samples: result.Parts(slower, parts),
	}
}

func (l *Lab) slice(p protocol.Protocol, ours bool) (bill, error) {
	cpu, mallocs := used()
	res, err := l.client.Load(p, l.servers[where{ours, false}].Addr(p), slice)
	if err != nil {
		return bill{}, err
	}
	cpu2, mallocs2 := used()
	n := float64(max(res.Requests, 1))
	return bill{float64(res.Took) / n, float64(cpu2-cpu) / n, float64(mallocs2-mallocs) / n}, nil
}
