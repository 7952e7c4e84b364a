package report

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// Compare prints what is different between two runs, as benchstat does: medians of the rounds with their
// 95 percent confidence intervals, and the change with the probability that there is none
// (Mann and Whitney's U test). "~" says that no change can be told.
func Compare(w io.Writer, old, new *result.Results) error {
	fmt.Fprintln(w, "old:")
	head(w, old)
	fmt.Fprintln(w, "new:")
	head(w, new)
	if old.Machine.CPU != new.Machine.CPU || old.Machine.Cores != new.Machine.Cores {
		fmt.Fprintln(w, "not the same machine: the changes say little")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nlatency, medians of the rounds\nload\tprotocol\tway\tstage\told\t\tnew\t\tchange\n")
	for _, c := range new.Latency {
		o, ok := same(old, c)
		if !ok {
			continue
		}
		for _, s := range []result.Stage{result.Flag, result.Handler} {
			a, b := o.Times[s].Rounds, c.Times[s].Rounds
			if len(a) > 0 && len(b) > 0 {
				row(t, c.Load, c.Protocol, c.Contender, string(s), change(floats(a), floats(b), ns))
			}
		}
	}
	fmt.Fprint(t, "\ncost of a call\n\t\t\t\told\t\tnew\t\tchange\n")
	for _, c := range new.Calls {
		for _, o := range old.Calls {
			if o.Name == c.Name {
				row(t, c.Name, "", "", "", change(o.Samples, c.Samples, ns))
			}
		}
	}
	fmt.Fprint(t, "\nConfigure's cost, % of the processor time per request\n\t\t\t\told\t\tnew\t\tchange\n")
	for _, c := range new.Requests {
		for _, o := range old.Requests {
			if o.Protocol == c.Protocol && o.Set == c.Set {
				row(t, c.Protocol, c.Set, "", "", change(o.Samples, c.Samples, digits))
			}
		}
	}
	return t.Flush()
}

// same is the cell of the same name.
func same(r *result.Results, c result.Cell) (result.Cell, bool) {
	for _, o := range r.Latency {
		if o.Load == c.Load && o.Protocol == c.Protocol && o.Contender == c.Contender && o.Observed == c.Observed {
			return o, true
		}
	}
	return result.Cell{}, false
}

func ns(v float64) string { return duration(time.Duration(v)) }

func floats(v []time.Duration) (f []float64) {
	for _, d := range v {
		f = append(f, float64(d))
	}
	return f
}

// change is old, its range, new, its range, and the difference.
func change(old, new []float64, unit func(float64) string) string {
	if len(old) == 0 || len(new) == 0 {
		return "no samples"
	}
	thresholds := benchmath.DefaultThresholds
	a, b := benchmath.NewSample(old, &thresholds), benchmath.NewSample(new, &thresholds)
	sa, sb := benchmath.AssumeNothing.Summary(a, 0.95), benchmath.AssumeNothing.Summary(b, 0.95)
	c := benchmath.AssumeNothing.Compare(a, b)
	return fmt.Sprintf("%s\t± %s\t%s\t± %s\t%s (%s)", unit(sa.Center), sa.PctRangeString(), unit(sb.Center), sb.PctRangeString(),
		c.FormatDelta(sa.Center, sb.Center), c)
}
