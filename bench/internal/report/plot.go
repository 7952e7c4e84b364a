package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// A picture is drawn on a canvas of its size.
type picture struct {
	name          string
	width, height vg.Length
	draw          func(draw.Canvas)
}

// Plots draws everything there is something to draw of: each picture as SVG and as PNG.
func Plots(r *result.Results) (result.Files, error) {
	files := result.Files{}
	for _, make := range []func(*result.Results) (*picture, error){latencyPlot, ratioPlot, stagePlot, callPlot} {
		p, err := make(r)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		if err := p.write(files); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return files, nil
}

// write adds the picture's files.
func (p *picture) write(files result.Files) error {
	svg := vgsvg.New(p.width, p.height)
	p.draw(draw.New(svg))
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return err
	}
	files[p.name+".svg"] = b.Bytes()
	img := vgimg.NewWith(vgimg.UseWH(p.width, p.height), vgimg.UseDPI(144))
	p.draw(draw.New(img))
	var png bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&png); err != nil {
		return err
	}
	files[p.name+".png"] = png.Bytes()
	return nil
}

// newPlot returns one with the looks of all of them.
func newPlot(title, x string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, x
	p.Title.TextStyle.Font = font.From(p.Title.TextStyle.Font, 11)
	p.Title.Padding = 6
	p.X.Label.TextStyle.Font = font.From(p.X.Label.TextStyle.Font, 9)
	p.X.Tick.Label.Font = font.From(p.X.Tick.Label.Font, 8)
	p.Y.Tick.Label.Font = font.From(p.Y.Tick.Label.Font, 8)
	p.Legend.TextStyle.Font = font.From(p.Legend.TextStyle.Font, 8)
	return p
}

// side draws plots beside each other.
func side(plots ...*plot.Plot) func(draw.Canvas) {
	return func(c draw.Canvas) {
		t := draw.Tiles{Rows: 1, Cols: len(plots), PadX: 12, PadLeft: 6, PadRight: 10, PadTop: 6, PadBottom: 6}
		for i, cv := range plot.Align([][]*plot.Plot{plots}, t, c)[0] {
			plots[i].Draw(cv)
		}
	}
}

// colours: hangup's own are blue.
var (
	ownColours   = []color.Color{rgb(0x08519c), rgb(0x4292c6), rgb(0x9ecae1)}
	otherColours = []color.Color{rgb(0xcb181d), rgb(0xf16913), rgb(0x238b45), rgb(0x6a51a3), rgb(0x8c510a), rgb(0x737373), rgb(0xdd1c77)}
)

func rgb(v uint32) color.Color {
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff}
}

// A palette gives each contender a colour of its own.
type palette struct {
	given      map[string]color.Color
	own, other int
}

func (p *palette) of(name string, ours bool) color.Color {
	if p.given == nil {
		p.given = map[string]color.Color{}
	}
	if _, ok := p.given[name]; !ok {
		if ours {
			p.given[name] = ownColours[p.own%len(ownColours)]
			p.own++
		} else {
			p.given[name] = otherColours[p.other%len(otherColours)]
			p.other++
		}
	}
	return p.given[name]
}

// timeTicks are powers of ten of nanoseconds, in words.
type timeTicks struct{}

func (timeTicks) Ticks(min, max float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(min)); e <= math.Ceil(math.Log10(max)); e++ {
		v := math.Pow(10, e)
		ticks = append(ticks, plot.Tick{Value: v, Label: power(v)})
		for m := 2.0; m < 10; m++ {
			ticks = append(ticks, plot.Tick{Value: m * v})
		}
	}
	return within(ticks, min, max)
}

func power(ns float64) string {
	for _, u := range []struct {
		of   float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.of*0.999 {
			return fmt.Sprintf("%.0f %s", ns/u.of, u.name)
		}
	}
	return fmt.Sprintf("%.0f ns", ns)
}

// ratioTicks are powers of ten.
type ratioTicks struct{}

func (ratioTicks) Ticks(min, max float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(min)); e <= math.Ceil(math.Log10(max)); e++ {
		v := math.Pow(10, e)
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g×", v)})
		for m := 2.0; m < 10; m++ {
			ticks = append(ticks, plot.Tick{Value: m * v})
		}
	}
	return within(ticks, min, max)
}

func within(ticks []plot.Tick, min, max float64) (in []plot.Tick) {
	for _, t := range ticks {
		if t.Value >= min && t.Value <= max {
			in = append(in, t)
		}
	}
	return in
}
