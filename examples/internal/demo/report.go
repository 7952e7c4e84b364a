package demo

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A report is what came of the requests of one protocol and case.
type report struct {
	name string
	Size
	events         *Events
	normal, hungUp []string // ids
	stopped        int
	latency        *hdrhistogram.Histogram // µs from hang-up to C's return
	failures       []error
}

func newReport(name string, size Size, events *Events) *report {
	// From a microsecond to a minute, to three digits.
	h := hdrhistogram.New(1, 60_000_000, 3)
	return &report{name: name, Size: size, events: events, latency: h}
}

func (r *report) fail(err error) { r.failures = append(r.failures, err) }

const header = "" +
	"\t\t\tnative\tcallbacks\tfrom\thang-up\tto C\t\n" +
	"\t\t\tcalls\ton normal\thaving\treturned\t\t\n" +
	"protocol\trequests\thang-ups\tstopped\tcompletion\tp50\tp99\tmax\t\n"

// table writes the reports, one a line.
func table(w io.Writer, reports []*report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, header)
	for _, r := range reports {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t\n", r.name, len(r.normal), len(r.hungUp), r.stopped, r.callbacks(),
			ms(r.latency.ValueAtQuantile(50)), ms(r.latency.ValueAtQuantile(99)), ms(r.latency.Max()))
	}
	return t.Flush()
}

func ms(µs int64) string { return fmt.Sprintf("%.2f ms", float64(µs)/1000) }

// callbacks is how many disconnect callbacks ran for requests that completed.
func (r *report) callbacks() (n int) {
	for _, id := range r.normal {
		n += r.events.Callbacks(id)
	}
	return n
}

// check returns an error that says what went wrong, nil if every hang-up stopped
// its call, with one callback, and no normal completion ran one.
func check(reports []*report) error {
	var errs []error
	for _, r := range reports {
		say := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf(r.name+": "+format, args...))
		}
		if n := len(r.hungUp) - r.stopped; n > 0 {
			say("%d of %d hang-ups did not stop their call: %w", n, len(r.hungUp), errors.Join(r.failures...))
		}
		if n := r.callbacks(); n > 0 {
			say("%d callbacks on normal completion", n)
		}
		for _, id := range r.hungUp[:r.stopped] {
			if n := r.events.Callbacks(id); n != 1 {
				say("%s: %d disconnect callbacks instead of one", id, n)
			}
		}
	}
	return errors.Join(errs...)
}
