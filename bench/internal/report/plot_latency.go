package report

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// latencyPlot draws latency by percentile, a panel for each of two loads: at rest, and the busiest that was
// measured.
func latencyPlot(r *result.Results) (*picture, error) {
	var panels []*plot.Plot
	var colours palette
	loads := loadsOf(r)
	for _, load := range []string{"idle", "16 busy goroutines a core"} {
		if !contains(loads, load) {
			continue
		}
		p := newPlot("From a client's close to the flag set; HTTP/1.1, "+load, "percentile")
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, timeTicks{}
		p.X.Tick.Marker = percentileTicks{}
		p.Legend.Top, p.Legend.Left = true, true
		first := len(panels) == 0 // it has the legend, and room for it
		p.Add(plotter.NewGrid())
		lo, hi := math.Inf(1), 0.0
		for _, c := range r.Latency {
			if c.Load != load || c.Protocol != "HTTP/1.1" || c.Observed || !drawn(c) {
				continue
			}
			pts := percentiles(c.Times[result.Flag])
			if len(pts) < 2 {
				continue
			}
			line, err := plotter.NewLine(pts)
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = colours.of(c.Contender, c.Ours), 1.2
			if c.Ours {
				line.Width = 2.4
			}
			p.Add(line)
			if first {
				p.Legend.Add(c.Contender, line)
			}
			lo, hi = min(lo, pts[0].Y), max(hi, pts[len(pts)-1].Y)
		}
		if hi == 0 {
			continue
		}
		p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(lo))), math.Pow(10, math.Ceil(math.Log10(hi)))
		if first {
			p.Y.Max *= 10
		}
		panels = append(panels, p)
	}
	if len(panels) == 0 {
		return nil, nil
	}
	return &picture{"latency", vg.Length(len(panels)) * 400, 320, side(panels...)}, nil
}

// drawn leaves out what would only crowd the picture: ways in that differ behind the flag.
func drawn(c result.Cell) bool {
	return !c.Ours || c.Contender == "hangup, futex" || c.Contender == "hangup, OnCancel"
}

// percentiles are points with x = -log10(1-q), up to where there are samples.
func percentiles(d result.Dist) (pts plotter.XYs) {
	h := d.Histogram()
	if h == nil || d.N < 2 {
		return nil
	}
	for x := 0.0; x <= math.Log10(float64(d.N)); x += 0.05 {
		q := 100 * (1 - math.Pow(10, -x))
		pts = append(pts, plotter.XY{X: x, Y: float64(max(h.ValueAtQuantile(q), 1))})
	}
	return pts
}

type percentileTicks struct{}

func (percentileTicks) Ticks(min, max float64) []plot.Tick {
	return within([]plot.Tick{
		{Value: 0, Label: "0"}, {Value: -math.Log10(0.5), Label: "50"}, {Value: 1, Label: "90"}, {Value: 2, Label: "99"},
		{Value: 3, Label: "99.9"}, {Value: 4, Label: "99.99"},
	}, min, max)
}

func contains(v []string, s string) bool {
	for _, x := range v {
		if x == s {
			return true
		}
	}
	return false
}
