package report

import (
	"gonum.org/v1/plot/plotter"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// stagePlot draws the medians of the stages as one bar for each protocol, at rest.
func stagePlot(r *result.Results) (*picture, error) {
	p := newPlot("The way of a cancel, idle: medians", "from the client's close, µs")
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.YOffs = 45
	var names []string
	var cells []result.Cell
	for _, c := range r.Latency {
		if c.Load == "idle" && c.Observed {
			cells = append([]result.Cell{c}, cells...) // the first on top
		}
	}
	if len(cells) == 0 {
		return nil, nil
	}
	// From the last stage to the first: the shorter bars are drawn over the longer ones.
	way := result.Stages[1:]
	colours := append(append([]int{}, 0x737373, 0x9ecae1, 0x4292c6, 0x08519c), 0xfdae6b, 0xf16913, 0xa63603)
	for i := len(way) - 1; i >= 0; i-- {
		for y, c := range cells {
			d, ok := c.Times[way[i]]
			if !ok {
				continue
			}
			line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: float64(y)}, {X: float64(d.P50) / 1e3, Y: float64(y)}})
			if err != nil {
				return nil, err
			}
			line.Color, line.Width = rgb(uint32(colours[i])), 16
			p.Add(line)
			if y == 0 {
				p.Legend.Add(stageNames[way[i]], line)
			}
		}
	}
	for _, c := range cells {
		names = append(names, c.Protocol)
		p.X.Max = max(p.X.Max, float64(c.Times[result.Handler].P50)/1e3)
	}
	p.X.Min, p.X.Max = 0, p.X.Max*1.35 // the legend's place
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(cells))-0.3
	return &picture{"stages", 640, 240, side(p)}, nil
}

var stageNames = map[result.Stage]string{
	result.Event: "kernel's event", result.Noticed: "noticed", result.Flag: "flag set", result.Seen: "C saw it",
	result.Returned: "C call returned", result.Done: "Do returned", result.Handler: "handler returned",
}
