package server

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/completions/internal/llamatest"
)

// From a client's hang-up in a prompt of 2,048 tokens to llama.cpp having returned, as
// a ratio to the engine's own time between two looks at the flag: the one that a random
// moment finds itself in. Both are measured in turn.
func BenchmarkHangUp(b *testing.B) {
	l := leaver{"prompt", "/v1/completions", body{"prompt": strings.Repeat("x", 2047), "max_tokens": 1}, false}
	for _, p := range protocols {
		b.Run(p.Name, func(b *testing.B) {
			f := start(b, "-contexts", "1")
			c := f.Dial(b, p)
			g := newGaps(b)
			var took, gaps []time.Duration
			for i := range b.N {
				if i%4 == 0 {
					gaps = append(gaps, g.measure(b)...)
				}
				took = append(took, l.leave(b, f, c, b.Name()+strconv.Itoa(b.N)+"/"+strconv.Itoa(i), 200*time.Millisecond))
			}
			slices.Sort(took)
			p50, typical := took[len(took)/2], llamatest.Typical(gaps)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(p50), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
			b.ReportMetric(ms(typical), "poll-ms")
			b.ReportMetric(ms(llamatest.Mean(gaps)), "mean-poll-ms")
			b.ReportMetric(ms(slices.Max(gaps)), "longest-poll-ms")
			b.ReportMetric(ms(llamatest.Next(gaps)), "next-poll-ms")
			b.ReportMetric(float64(p50)/float64(typical), "ratio")
		})
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// gaps measures the engine's time between two polls.
type gaps struct {
	engine  *llama.Engine
	context *llama.Context
	polls   *llamatest.Polls
}

func newGaps(b *testing.B) *gaps {
	e, err := llama.NewEngine(llamatest.Options())
	if err != nil {
		b.Fatal(err)
	}
	c, err := e.Model.NewContext(4096, 64, 1)
	if err != nil {
		b.Fatal(err)
	}
	g := &gaps{e, c, llamatest.NewPolls()}
	b.Cleanup(func() {
		g.polls.Free()
		c.Free()
		if err := e.Close(b.Context()); err != nil {
			b.Error(err)
		}
	})
	return g
}

// measure computes the beginning of a prompt of 2,048 tokens, as much of it as those who leave
// get to see.
func (g *gaps) measure(b *testing.B) []time.Duration {
	g.context.Clear()
	g.polls.Reset(0)
	g.context.Arm(g.polls.Callback())
	defer g.context.Disarm()
	if err := g.context.Decode(llamatest.Prompt(256)...); err != nil {
		b.Fatal(err)
	}
	return g.polls.Gaps()
}
