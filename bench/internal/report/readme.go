package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/hangup-go/hangup/bench/internal/protocol"
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
	excerpt(&b, r)
	b.WriteString(end)
	b.Write(after)
	return b.Bytes(), nil
}

// excerpt writes what the README shows of a run: what a reader wants to know first. The rest is Page's.
func excerpt(b *bytes.Buffer, r *result.Results) {
	machineLine(b, r)
	b.WriteString("Everything that was measured: [bench/results](bench/results/README.md).\n")
	latencyTable(b, r, "bench/results/")
	missedLine(b, r)
	wayLine(b, r)
	callTable(b, r)
	requestTable(b, r)
}

func machineLine(b *bytes.Buffer, r *result.Results) {
	m := r.Machine
	fmt.Fprintf(b, "%s, %d cores, %s, %s, commit %s; %s, %v, load average %s before and %s after.\n",
		m.CPU, m.Cores, m.Kernel, m.Go, m.Commit, r.Started.Format("2006-01-02"), r.Took, m.LoadBefore, m.LoadAfter)
	if r.Quick || fewRounds(r) {
		b.WriteString("**A short run: too few samples to quote.**\n")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "%s.\n", n)
	}
}

// The loads that have names here.
const (
	busy4     = "4 busy goroutines a core"
	spare4    = "4 busy goroutines a core, spare Ps"
	bounded4  = "4 busy goroutines a core, bounded"
	loud      = "16 busy goroutines a core"
	bounded16 = "16 busy goroutines a core, bounded"
)

const closed = string(protocol.HTTP2Closed)

// fewRounds reports whether a ratio is of so few rounds that it has no spread.
func fewRounds(r *result.Results) bool {
	for _, c := range r.Latency {
		if len(c.Times[result.Flag].Rounds) >= 4 {
			return false
		}
	}
	return true
}

func latencyTable(b *bytes.Buffer, r *result.Results, dir string) {
	fmt.Fprintf(b, "\n![From a client's close to the flag set, by percentile](%slatency.svg)\n\n", dir)
	b.WriteString("From a client's close on HTTP/1.1, p50 / p99 (of 200 samples and more), and how many times hangup's first row. C sleeps until it is told; \"flag\" and \"Go callback\" look once a millisecond.\n\n")
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
			cols = append(cols, pair(at.Times[result.Flag])+against(r, at, result.Flag), pair(at.Times[result.Handler]))
		}
		mdRow(b, cols...)
	}
}

// missedLine sums up the counts: of hangup, and of the best of the others.
func missedLine(b *bytes.Buffer, r *result.Results) {
	left, missed, wrong := map[string]int{}, map[string]int{}, 0
	least, ours := -1, 0
	for _, c := range r.Counts {
		if c.Kind != string(protocol.Answered) {
			left[c.Contender] += c.Clients
		}
		missed[c.Contender] += c.Missed
		if c.Ours {
			wrong += c.False
		}
	}
	of := 0
	for _, c := range r.Counts {
		n := missed[c.Contender]
		switch {
		case c.Ours:
			ours, of = max(ours, n), left[c.Contender]
		case least < 0 || n < least:
			least = n
		}
	}
	if of > 0 && least >= 0 {
		fmt.Fprintf(b, "\nOf %d clients that left, in %d ways, hangup missed %d and each of the others %d or more; it stopped %d calls for nothing.\n", of, len(kindsOf(r))-1, ours, least, wrong)
	}
}

// wayLine says what the way back waits for, and what helps.
func wayLine(b *bytes.Buffer, r *result.Results) {
	done := func(load string) string { return p50(r, load, "HTTP/1.1", result.Done) }
	flag := func(load, protocol string) string { return p50(r, load, protocol, result.Flag) }
	if done(busy4) == "" || done(bounded4) == "" || done(loud) == "" || done(bounded16) == "" {
		return
	}
	fmt.Fprintf(b, "\nWith 4 and %s, all in `GOMAXPROCS` Ps, `Do` is back after %s and %s (p50), as it waits for a P; with no more of them computing at a time than there are cores, by a semaphore, and `GOMAXPROCS` at twice that, after %s and %s. "+
		"The flag of a reset on HTTP/2 is set after %s and %s, and then after %s and %s; on HTTP/3 after %s and %s, and then after %s and %s; of a closed connection of HTTP/2, by the thread in C, after %s and %s.\n",
		loud, done(busy4), done(loud), done(bounded4), done(bounded16),
		flag(busy4, "HTTP/2"), flag(loud, "HTTP/2"), flag(bounded4, "HTTP/2"), flag(bounded16, "HTTP/2"),
		flag(busy4, "HTTP/3"), flag(loud, "HTTP/3"), flag(bounded4, "HTTP/3"), flag(bounded16, "HTTP/3"),
		flag(busy4, closed), flag(loud, closed))
}

// p50 is of hangup, "" if it was not measured.
func p50(r *result.Results, load, protocol string, s result.Stage) string {
	c, ok := findObserved(r, load, protocol) // as the way back's table has
	if !ok {
		c, ok = find(r, load, protocol, baseline)
	}
	if !ok {
		return ""
	}
	return duration(c.Times[s].P50)
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

func requestTable(b *bytes.Buffer, r *result.Results) {
	if len(r.Requests) == 0 {
		return
	}
	b.WriteString("\n| What `Configure` costs requests that nobody leaves, against a plain server | processor time, plain | more, % (95 % interval) | requests/s, plain | slower, % | allocations |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, c := range r.Requests {
		mdRow(b, c.Protocol+", "+c.Set, duration(c.PlainCPU), spread(c.CPU), fmt.Sprintf("%.0f", c.PlainPerSec), spread(c.Slower), whole(c.Allocs))
	}
}

// whole is x without its fraction, and without the sign of a zero.
func whole(x float64) string { return fmt.Sprintf("%.0f", math.Round(x)+0) }

func mdRow(b *bytes.Buffer, cols ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cols, " | ")) }
