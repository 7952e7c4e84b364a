package report

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/hangup-go/hangup/bench/internal/result"
)

// An aim is a ratio that was to be reached.
type aim struct {
	what    string
	want    float64
	atLeast bool // else at most
	of      func(r *result.Results) float64
}

// aims were set before anything was built.
var aims = []aim{
	{"`Inline`, the request's context: times the raw call", 1.5, false, call("native.Inline, the request's context", "the C call alone")},
	{"`Inline` with a callback: times the raw call", 2, false, call("native.Inline with a callback", "the C call alone")},
	{"`Inline`, any other context: times the raw call", 2, false, call("native.Inline, any other context", "the C call alone")},
	{"`Do`: times goroutine and select", 0.8, false, call("native.Do, the request's context", "goroutine and select")},
	{"a poll by a Go callback: times `native.PollInt`", 30, true, pollRatio},
	{"in-process Cancel to flag, cores busy: p50, µs", 0.5, false, cancelTime(func(d result.Dist) time.Duration { return d.P50 })},
	{"the same: p99.9, µs", 10, false, cancelTime(func(d result.Dist) time.Duration { return d.P999 })},
	{"close to flag, idle, HTTP/1.1: times `r.Context()` alone", 0.6, false, func(r *result.Results) float64 {
		c, ok := find(r, "idle", "HTTP/1.1", "r.Context() alone")
		ratio, ok2 := ratios(r, c, result.Flag)
		if !ok || !ok2 {
			return 0
		}
		return 1 / ratio.Median
	}},
	{"close to flag, " + loud + ": `AfterFunc` times hangup, p50", 1000, true, quantiles(loud, func(d result.Dist) time.Duration { return d.P50 })},
	{"the same: p99", 10, true, quantiles(loud, func(d result.Dist) time.Duration { return d.P99 })},
	{"C saw its flag to `Do` back, " + busy4 + ": times with spare Ps", 100, true, func(r *result.Results) float64 {
		busy, ok := find(r, busy4, "HTTP/1.1", baseline)
		spare, ok2 := find(r, spare4, "HTTP/1.1", baseline)
		if !ok || !ok2 || spare.Back.P50 == 0 {
			return 0
		}
		return float64(busy.Back.P50) / float64(spare.Back.P50)
	}},
	{"`Configure`, the protocol that loses most: % fewer requests a second", 3, false, func(r *result.Results) (most float64) {
		for _, c := range r.Requests {
			if c.Set == "configured" {
				most = max(most, c.Slower.Median)
			}
		}
		return most
	}},
}

// pollRatio is of medians of the same rounds.
func pollRatio(r *result.Results) float64 {
	for _, c := range r.Polls {
		if c.Ours && c.Against.Median > 0 {
			return 1 / c.Against.Median
		}
	}
	return 0
}

// cancelTime is a quantile with all cores busy, in microseconds.
func cancelTime(q func(result.Dist) time.Duration) func(*result.Results) float64 {
	return func(r *result.Results) float64 {
		for _, c := range r.Cancels {
			if c.Load == busy4 {
				return float64(q(c.Time)) / 1e3
			}
		}
		return 0
	}
}

func call(name, to string) func(*result.Results) float64 {
	return func(r *result.Results) float64 {
		var a, b float64
		for _, c := range r.Calls {
			if c.Name == name {
				a = c.Against.Median
			}
			if c.Name == to {
				b = c.Against.Median
			}
		}
		if b == 0 {
			return 0
		}
		return a / b
	}
}

func quantiles(load string, q func(result.Dist) time.Duration) func(*result.Results) float64 {
	return func(r *result.Results) float64 {
		a, ok := find(r, load, "HTTP/1.1", "context.AfterFunc")
		b, ok2 := find(r, load, "HTTP/1.1", baseline)
		if !ok || !ok2 || q(b.Times[result.Flag]) == 0 {
			return 0
		}
		return float64(q(a.Times[result.Flag])) / float64(q(b.Times[result.Flag]))
	}
}

// verdict is how an aim fares: it is "" where there is nothing to say.
func (a aim) verdict(r *result.Results) (limit, got string) {
	v := a.of(r)
	if v == 0 {
		return "", ""
	}
	limit, met := fmt.Sprintf("at most %s", digits(a.want)), v <= a.want
	if a.atLeast {
		limit, met = fmt.Sprintf("at least %s", digits(a.want)), v >= a.want
	}
	if got = digits(v); !met {
		got += ", missed"
	}
	return limit, got
}

// aimTable is for the directory of results.
func aimTable(b *bytes.Buffer, r *result.Results) {
	b.WriteString("\n| Aimed at | | measured |\n| --- | --- | --- |\n")
	for _, a := range aims {
		if limit, got := a.verdict(r); got != "" {
			mdRow(b, a.what, limit, got)
		}
	}
}

// aimText is for the terminal.
func aimText(w io.Writer, r *result.Results) {
	fmt.Fprint(w, "\nAimed at\n\t\tmeasured\n")
	for _, a := range aims {
		if limit, got := a.verdict(r); got != "" {
			row(w, a.what, limit, got)
		}
	}
}
