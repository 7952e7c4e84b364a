package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// The marks between which the README has a run's figures.
const (
	begin = "<!-- bench: from here to the end mark, written by go -C bench run . -readme -->\n"
	end   = "<!-- bench: end -->\n"
)

// Splice puts the figures of r between the marks of a README.
func Splice(readme []byte, r *result.Results) ([]byte, error) {
	before, rest, ok := bytes.Cut(readme, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return nil, errors.New("the README has no marks for the figures: " + strings.TrimSpace(begin) + " and " + strings.TrimSpace(end))
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(begin)
	markdown(&b, r)
	b.WriteString(end)
	b.Write(after)
	return b.Bytes(), nil
}

// markdown writes what the README shows of a run.
func markdown(b *bytes.Buffer, r *result.Results) {
	m := r.Machine
	fmt.Fprintf(b, "%s, %d cores, %s, %s, commit %s; %s, %v, load average %s before and %s after; [all of it](bench/results/results.json).\n",
		m.CPU, m.Cores, m.Kernel, m.Go, m.Commit, r.Started.Format("2006-01-02"), r.Took, m.LoadBefore, m.LoadAfter)
	if r.Quick || fewRounds(r) {
		b.WriteString("**A short run: too few samples to quote.**\n")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "%s.\n", n)
	}
	latencyTable(b, r)
	protocolTable(b, r)
	spareLine(b, r)
	callTable(b, r)
	requestTable(b, r)
	countTable(b, r)
	aimTable(b, r)
}

const loud = "16 busy goroutines a core"

// fewRounds reports whether a ratio is of so few rounds that it has no spread.
func fewRounds(r *result.Results) bool {
	for _, c := range r.Latency {
		if len(c.Times[result.Flag].Rounds) >= 4 {
			return false
		}
	}
	return true
}

func latencyTable(b *bytes.Buffer, r *result.Results) {
	b.WriteString("\n![From a client's close to the flag set, by percentile](bench/results/latency.svg)\n\n")
	b.WriteString("From a client's close on HTTP/1.1, p50 and, of 200 samples and more, p99 (against hangup's first row, the median of the rounds' ratios). C sleeps until it is told; \"flag\" and \"Go callback\" look once a millisecond.\n\n")
	b.WriteString("| | idle: flag set | handler back | " + loud + ": flag set | handler back |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range r.Latency {
		if c.Load != "idle" || c.Protocol != "HTTP/1.1" || c.Observed {
			continue
		}
		cols := []string{c.Contender}
		for _, load := range []string{"idle", loud} {
			at, ok := find(r, load, c.Protocol, c.Contender)
			if !ok {
				cols = append(cols, "", "")
				continue
			}
			cols = append(cols, pair(at.Times[result.Flag])+against(r, at, result.Flag), pair(at.Times[result.Handler])+against(r, at, result.Handler))
		}
		mdRow(b, cols...)
	}
}

// pair is p50 / p99.
func pair(d result.Dist) string {
	if d.P99 == 0 {
		return duration(d.P50)
	}
	return duration(d.P50) + " / " + duration(d.P99)
}

func against(r *result.Results, c result.Cell, s result.Stage) string {
	ratio, ok := ratios(r, c, s)
	if !ok || c.Contender == baseline {
		return ""
	}
	return " (" + digits(ratio.Median) + "×)"
}

func protocolTable(b *bytes.Buffer, r *result.Results) {
	b.WriteString("\nBy protocol, idle, from the client's close or reset, p50 and p99, and the quartiles of the rounds' ratios:\n\n")
	b.WriteString("| | hangup: flag set | context.AfterFunc | ratio | hangup: handler back | context.AfterFunc |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range r.Latency {
		if c.Load != "idle" || c.Contender != "context.AfterFunc" || c.Observed {
			continue
		}
		ours, ok := find(r, "idle", c.Protocol, baseline)
		ratio, ok2 := ratios(r, c, result.Flag)
		if ok && ok2 {
			mdRow(b, c.Protocol, pair(ours.Times[result.Flag]), pair(c.Times[result.Flag]), spread(ratio), pair(ours.Times[result.Handler]), pair(c.Times[result.Handler]))
		}
	}
	b.WriteString("\n![The stages of a cancel, by protocol](bench/results/stages.svg)\n")
}

func spareLine(b *bytes.Buffer, r *result.Results) {
	busy, ok := find(r, "4 busy goroutines a core", "HTTP/1.1", baseline)
	spare, ok2 := find(r, "4 busy goroutines a core, spare Ps", "HTTP/1.1", baseline)
	if ok && ok2 {
		fmt.Fprintf(b, "\nThe way back waits for a P. With 4 busy goroutines a core C saw its flag after %s, and Do was back after %s; with `GOMAXPROCS` at six times the cores, after %s (p50, p99).\n",
			pair(busy.Times[result.Seen]), pair(busy.Times[result.Done]), pair(spare.Times[result.Done]))
	}
}

func callTable(b *bytes.Buffer, r *result.Results) {
	if len(r.Calls) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| One native call that nobody cancels | the C call alone, %s ns, is 1 (quartiles) | allocations |\n| --- | --- | --- |\n", digits(r.Calls[0].NS.Median))
	for _, c := range r.Calls[1:] {
		mdRow(b, c.Name, spread(c.Against), fmt.Sprintf("%.0f", c.Allocs))
	}
}

func requestTable(b *bytes.Buffer, r *result.Results) {
	if len(r.Requests) == 0 {
		return
	}
	b.WriteString("\n| What `Configure` costs requests that nobody leaves, against a plain server | processor time, plain | more, % (95 % interval) | requests/s, plain | slower, % | allocations |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range r.Requests {
		mdRow(b, c.Protocol+", "+c.Set, duration(c.PlainCPU), spread(c.CPU), fmt.Sprintf("%.0f", c.PlainPerSec), spread(c.Slower), fmt.Sprintf("%.0f", c.Allocs))
	}
}

// countTable has a row for each contender, and a column for each exchange.
func countTable(b *bytes.Buffer, r *result.Results) {
	var kinds, names []string
	for _, c := range r.Counts {
		if !contains(kinds, c.Kind) {
			kinds = append(kinds, c.Kind)
		}
		if !contains(names, c.Contender) {
			names = append(names, c.Contender)
		}
	}
	if len(kinds) == 0 {
		return
	}
	b.WriteString("\nMissed clients, and false cancels where nobody left; processor time burnt for a client that left at once, of a call's:\n\n|")
	cols := append([]string{""}, kinds...)
	for _, w := range r.Waste {
		if w.Contender == names[0] {
			cols = append(cols, "burnt of "+duration(w.Work)+": "+w.Kind)
		}
	}
	b.WriteString(strings.Join(cols, " | ") + " |\n|" + strings.Repeat(" --- |", len(cols)) + "\n")
	for _, n := range names {
		cols := []string{n}
		for _, c := range r.Counts {
			if c.Contender != n {
				continue
			}
			what, clients := "missed", c.Missed
			if c.False > 0 {
				what, clients = "false", c.False
			}
			if clients == 0 {
				cols = append(cols, fmt.Sprintf("0 of %d", c.Clients))
			} else {
				cols = append(cols, fmt.Sprintf("**%d of %d %s**", clients, c.Clients, what))
			}
		}
		for _, w := range r.Waste {
			if w.Contender == n {
				cols = append(cols, duration(w.Burnt))
			}
		}
		mdRow(b, cols...)
	}
}

func mdRow(b *bytes.Buffer, cols ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cols, " | ")) }
