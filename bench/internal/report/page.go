package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hangup-go/hangup/bench/internal/result"
)

const title = "# What was measured\n\n"

// IsPage reports whether b was made by Page.
func IsPage(b []byte) bool { return bytes.HasPrefix(b, []byte(title)) }

// Page is the README of the directory of results: all that was measured.
func Page(r *result.Results) []byte {
	var b bytes.Buffer
	b.WriteString(title + "Written by `go -C bench run .`, as are the pictures and [results.json](results.json), which has the rounds and histograms too. [How it is measured](../doc.go).\n\n")
	machineLine(&b, r)
	b.WriteString("\n## Latency\n")
	latencyTable(&b, r, "")
	if len(r.Latency) > 0 {
		b.WriteString("\n![How many times hangup's time to the flag, by load](ratios.svg)\n")
	}
	protocolTable(&b, r)
	wayTable(&b, r)
	loadTables(&b, r)
	b.WriteString("\n## Cost when nobody leaves\n")
	callTable(&b, r)
	pollTable(&b, r)
	requestTable(&b, r)
	b.WriteString("\n## Misses and waste\n")
	countTable(&b, r)
	b.WriteString("\n## Aims\n")
	aimTable(&b, r)
	b.WriteString("\nWhy some are missed: [CONTRIBUTING.md](../../CONTRIBUTING.md), \"What does a call cost, against what we aimed at?\", \"What does Configure cost?\" and \"Why is the flag of an idle server not faster?\".\n")
	return b.Bytes()
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
	b.WriteString("\n![The stages of a cancel, by protocol](stages.svg)\n")
}

// wayTable is the way into C and back, by load and protocol.
func wayTable(b *bytes.Buffer, r *result.Results) {
	b.WriteString("\nThe way back waits for a P, and where Go has to notice, the way in does as well. hangup, from the client's close or reset, with an observer that notes each stage (which costs some itself), p50 / p99:\n\n")
	b.WriteString("| | | flag set | C saw it | from there to `Do` back | `Do` back | samples |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, load := range loadsOf(r) {
		for _, c := range r.Latency {
			if c.Load == load && c.Observed {
				mdRow(b, load, c.Protocol, pair(c.Times[result.Flag]), pair(c.Times[result.Seen]), pair(c.Back), pair(c.Times[result.Done]), fmt.Sprint(c.Trials))
			}
		}
	}
}

// loadTables are everything by load, but for the stages.
func loadTables(b *bytes.Buffer, r *result.Results) {
	for _, load := range loadsOf(r) {
		fmt.Fprintf(b, "\n### %s\n\n| | | flag set: p50 | p90 | p99 | p99.9 | most | times hangup's (quartiles) | handler back: p50 | p99 | samples | missed |\n|%s\n", load, strings.Repeat(" --- |", 12))
		for _, c := range r.Latency {
			if c.Load != load || c.Observed {
				continue
			}
			f, h, times := c.Times[result.Flag], c.Times[result.Handler], ""
			if ratio, ok := ratios(r, c, result.Flag); ok && c.Contender != baseline {
				times = spread(ratio)
			}
			mdRow(b, c.Contender, c.Protocol, duration(f.P50), duration(f.P90), duration(f.P99), duration(f.P999), duration(f.Max), times,
				duration(h.P50), duration(h.P99), fmt.Sprint(c.Trials), fmt.Sprint(c.Missed))
		}
	}
}

func callTable(b *bytes.Buffer, r *result.Results) {
	if len(r.Calls) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| One native call that nobody cancels | the C call alone, %s ns, is 1 (quartiles) | allocations |\n| --- | --- | --- |\n", digits(r.Calls[0].NS.Median))
	for _, c := range r.Calls[1:] {
		mdRow(b, c.Name, spread(c.Against), whole(c.Allocs))
	}
}

// pollTable has what is less than a call.
func pollTable(b *bytes.Buffer, r *result.Results) {
	if len(r.Polls) > 0 {
		b.WriteString("\n| C asks once whether it is cancelled | ns (quartiles) | of a Go callback's |\n| --- | --- | --- |\n")
		for _, c := range r.Polls {
			mdRow(b, c.Name, spread(c.NS), spread(c.Against))
		}
	}
	if len(r.Cancels) > 0 {
		b.WriteString("\n| Within the process, from Cancel to the flag | p50 | p99 | p99.9 | most | samples |\n| --- | --- | --- | --- | --- | --- |\n")
		for _, c := range r.Cancels {
			mdRow(b, c.Load, duration(c.Time.P50), duration(c.Time.P99), duration(c.Time.P999), duration(c.Time.Max), fmt.Sprint(c.Time.N))
		}
	}
}

// kindsOf are the exchanges that were counted.
func kindsOf(r *result.Results) (kinds []string) {
	for _, c := range r.Counts {
		if !contains(kinds, c.Kind) {
			kinds = append(kinds, c.Kind)
		}
	}
	return kinds
}

// countTable has a row for each contender, and a column for each exchange.
func countTable(b *bytes.Buffer, r *result.Results) {
	var names []string
	kinds := kindsOf(r)
	for _, c := range r.Counts {
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
