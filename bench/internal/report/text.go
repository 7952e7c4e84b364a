// Package report shows results: as tables, pictures, a part of the README, and beside other results.
package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// duration is d with three digits at most.
func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < 1000:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return digits(float64(d)/1e3) + " µs"
	case d < time.Second:
		return digits(float64(d)/1e6) + " ms"
	}
	return digits(d.Seconds()) + " s"
}

func digits(v float64) string {
	switch {
	case v >= 99.5 || v <= -99.5:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.95 || v <= -9.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Text prints everything as tables for a terminal.
func Text(w io.Writer, r *result.Results) error {
	head(w, r)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, load := range loadsOf(r) {
		fmt.Fprintf(t, "\nFrom the client's close, %s\nway\tprotocol\tn\tmissed\tflag set p50\tp90\tp99\tp99.9\tmax\tC saw p50\tcall returned\tDo returned\thandler p50\tp99\n", load)
		for _, c := range r.Latency {
			if c.Load != load || c.Observed {
				continue
			}
			f, h := c.Times[result.Flag], c.Times[result.Handler]
			row(t, c.Contender, c.Protocol, fmt.Sprint(c.Trials), fmt.Sprint(c.Missed), duration(f.P50), duration(f.P90), duration(f.P99), duration(f.P999),
				duration(f.Max), duration(c.Times[result.Seen].P50), duration(c.Times[result.Returned].P50), duration(c.Times[result.Done].P50), duration(h.P50), duration(h.P99))
		}
	}
	stages(t, r)
	fmt.Fprint(t, "\nOne native call that nobody cancels\n\tns\traw = 1\tallocations\n")
	for _, c := range r.Calls {
		row(t, c.Name, digits(c.NS.Median), spread(c.Against), digits(c.Allocs))
	}
	fmt.Fprint(t, "\nOne poll of C's\n\tns\tGo = 1\n")
	for _, c := range r.Polls {
		row(t, c.Name, digits(c.NS.Median), spread(c.Against))
	}
	fmt.Fprint(t, "\nWithin the process, from Cancel to the flag\nload\tn\tp50\tp99\tp99.9\tmax\n")
	for _, c := range r.Cancels {
		row(t, c.Load, fmt.Sprint(c.Time.N), duration(c.Time.P50), duration(c.Time.P99), duration(c.Time.P999), duration(c.Time.Max))
	}
	fmt.Fprint(t, "\nRequests that nobody leaves: what Configure costs (medians of pairs, 95 % intervals)\nprotocol\tserver\tprocessor time, plain\tmore, %\trequests/s plain\tslower, %\tallocations\tpairs\n")
	for _, c := range r.Requests {
		row(t, c.Protocol, c.Set, duration(c.PlainCPU), spread(c.CPU), digits(c.PlainPerSec), spread(c.Slower), digits(c.Allocs), fmt.Sprint(c.Slices))
	}
	fmt.Fprint(t, "\nClients that left and were missed, that stayed and were cancelled; HTTP/1.1\nway\texchange\tclients\tmissed\tfalse\n")
	for _, c := range r.Counts {
		row(t, c.Contender, c.Kind, fmt.Sprint(c.Clients), fmt.Sprint(c.Missed), fmt.Sprint(c.False))
	}
	fmt.Fprint(t, "\nProcessor time burnt for a client that left\nway\texchange\tclients\tof\tburnt\n")
	for _, c := range r.Waste {
		row(t, c.Contender, c.Kind, fmt.Sprint(c.Clients), duration(c.Work), duration(c.Burnt))
	}
	aimText(t, r)
	return t.Flush()
}

// stages prints the way of a cancel.
func stages(w io.Writer, r *result.Results) {
	for _, load := range loadsOf(r) {
		printed := false
		for _, c := range r.Latency {
			if c.Load != load || !c.Observed {
				continue
			}
			if !printed {
				fmt.Fprintf(w, "\nStages of a cancel, %s: p50, p99 from the client's close\nprotocol\tn\tkernel event\tnoticed\tflag set\tC saw\tcall returned\tDo returned\thandler returned\tC saw to Do\n", load)
				printed = true
			}
			cols := []string{c.Protocol, fmt.Sprint(c.Trials)}
			for _, s := range result.Stages[1:] {
				cols = append(cols, duration(c.Times[s].P50)+", "+duration(c.Times[s].P99))
			}
			row(w, append(cols, duration(c.Back.P50)+", "+duration(c.Back.P99))...)
		}
	}
}

func head(w io.Writer, r *result.Results) {
	m := r.Machine
	fmt.Fprintf(w, "%s, %d cores (GOMAXPROCS %d), %s, %s, commit %s\n", m.CPU, m.Cores, m.GOMAXPROCS, m.Kernel, m.Go, m.Commit)
	fmt.Fprintf(w, "%s, took %v; load average %s before, %s after\n", r.Started.Format(time.RFC3339), r.Took, m.LoadBefore, m.LoadAfter)
	if r.Quick {
		fmt.Fprintln(w, "a quick look: too few samples to quote")
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
}

func row(w io.Writer, cols ...string) { fmt.Fprintln(w, strings.Join(cols, "\t")) }

// spread is a median with its quartiles, if it has any.
func spread(r result.Ratio) string {
	if r.Q1 == r.Median && r.Q3 == r.Median {
		return digits(r.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", digits(r.Median), digits(r.Q1), digits(r.Q3))
}

// loadsOf are the loads, in the order of the run.
func loadsOf(r *result.Results) (loads []string) {
	for _, c := range r.Latency {
		if len(loads) == 0 || loads[len(loads)-1] != c.Load {
			loads = append(loads, c.Load)
		}
	}
	return loads
}
