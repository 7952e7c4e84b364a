package report

import (
	"github.com/hangup-go/hangup/bench/internal/result"
)

// baseline is what ratios are of.
const baseline = "hangup, futex"

// find returns the cell of a contender without an observer.
func find(r *result.Results, load, protocol, contender string) (result.Cell, bool) {
	for _, c := range r.Latency {
		if c.Load == load && c.Protocol == protocol && c.Contender == contender && !c.Observed {
			return c, true
		}
	}
	return result.Cell{}, false
}

// findObserved returns hangup's cell with an observer.
func findObserved(r *result.Results, load, protocol string) (result.Cell, bool) {
	for _, c := range r.Latency {
		if c.Load == load && c.Protocol == protocol && c.Observed {
			return c, true
		}
	}
	return result.Cell{}, false
}

// ratios are a cell's medians to the baseline's, round by round, of a stage.
func ratios(r *result.Results, c result.Cell, stage result.Stage) (result.Ratio, bool) {
	base, ok := find(r, c.Load, c.Protocol, baseline)
	if !ok {
		return result.Ratio{}, false
	}
	a, b := c.Times[stage].Rounds, base.Times[stage].Rounds
	var v []float64
	for i := range min(len(a), len(b)) {
		v = append(v, float64(a[i])/float64(max(b[i], 1)))
	}
	return result.RatioOf(v), len(v) > 0
}
