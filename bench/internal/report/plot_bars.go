package report

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// A bar is a ratio, drawn on a logarithmic scale from 1.
type bar struct {
	name   string
	ratio  result.Ratio
	colour color.Color
}

// bars makes a plot of horizontal bars with their quartiles, the first on top.
func bars(title, x string, all []bar) (*plot.Plot, error) {
	p := newPlot(title, x)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ratioTicks{}
	p.X.Min, p.X.Max = 1, 1
	var names []string
	slices.Reverse(all)
	for i, b := range all {
		names = append(names, b.name)
		line, err := plotter.NewLine(plotter.XYs{{X: 1, Y: float64(i)}, {X: b.ratio.Median, Y: float64(i)}})
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = b.colour, 9
		spread, err := plotter.NewXErrorBars(errorBar{b.ratio, float64(i)})
		if err != nil {
			return nil, err
		}
		label, err := plotter.NewLabels(plotter.XYLabels{
			XYs: plotter.XYs{{X: max(b.ratio.Q3, b.ratio.Median, 1), Y: float64(i)}}, Labels: []string{"  " + digits(b.ratio.Median)},
		})
		if err != nil {
			return nil, err
		}
		label.TextStyle[0].Font.Size, label.TextStyle[0].YAlign = 8, draw.YCenter
		p.Add(line, spread, label)
		p.X.Min = min(p.X.Min, b.ratio.Q1*0.9, b.ratio.Median*0.9)
		p.X.Max = max(p.X.Max, b.ratio.Q3*2.5, b.ratio.Median*2.5)
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.7, float64(len(all))-0.3
	return p, nil
}

// errorBar is the spread of one bar.
type errorBar struct {
	result.Ratio
	y float64
}

func (errorBar) Len() int                         { return 1 }
func (e errorBar) XY(int) (x, y float64)          { return e.Median, e.y }
func (e errorBar) XError(int) (low, high float64) { return e.Median - e.Q1, e.Q3 - e.Median }

// ratioPlot draws how much longer the rivals take than hangup, from close to flag set, a panel for each load that
// all of them were measured under.
func ratioPlot(r *result.Results) (*picture, error) {
	var panels []*plot.Plot
	var colours palette
	most := 0
	for _, load := range loadsOf(r) {
		var all []bar
		for _, c := range r.Latency {
			if c.Load != load || c.Protocol != "HTTP/1.1" || c.Observed || c.Ours {
				continue
			}
			if ratio, ok := ratios(r, c, result.Flag); ok {
				all = append(all, bar{c.Contender, ratio, colours.of(c.Contender, false)})
			}
		}
		if len(all) == 0 || len(all) < most {
			continue
		}
		if len(all) > most {
			most, panels = len(all), nil
		}
		p, err := bars(load, "times hangup's, log scale", all)
		if err != nil {
			return nil, err
		}
		panels = append(panels, p)
	}
	if len(panels) == 0 {
		return nil, nil
	}
	cols := min(len(panels), 4)
	rows := (len(panels) + cols - 1) / cols
	return &picture{"ratios", vg.Length(cols) * 270, vg.Length(rows) * vg.Length(70+18*most), grid(rows, cols, panels)}, nil
}

// grid draws plots in rows.
func grid(rows, cols int, panels []*plot.Plot) func(draw.Canvas) {
	return func(c draw.Canvas) {
		t := draw.Tiles{Rows: rows, Cols: cols, PadX: 10, PadY: 10, PadLeft: 4, PadRight: 6, PadTop: 4, PadBottom: 4}
		for i, p := range panels {
			p.Draw(t.At(c, i%cols, i/cols))
		}
	}
}

// callPlot draws what a call costs that nobody cancels.
func callPlot(r *result.Results) (*picture, error) {
	var colours palette
	var all []bar
	for _, c := range r.Calls {
		if c.Against.Median == 1 {
			continue // the raw call
		}
		colour := ownColours[0]
		if !c.Ours {
			colour = colours.of("rivals", false)
		}
		all = append(all, bar{c.Name, c.Against, colour})
	}
	if len(all) == 0 {
		return nil, nil
	}
	p, err := bars("One native call that nobody cancels", "times the C call alone, log scale", all)
	if err != nil {
		return nil, err
	}
	return &picture{"calls", 520, vg.Length(70 + 18*len(all)), side(p)}, nil
}
