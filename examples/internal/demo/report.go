package demo

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Report is what came of one protocol's requests.
type Report struct {
	Protocol string
	Size
	events         *Events
	normal, hungUp []string // ids
	stopped        int
	latency        *hdrhistogram.Histogram // µs from hang-up to C's return
	failures       []error
}

func newReport(protocol string, size Size, events *Events) *Report {
	// From a microsecond to a minute, to three digits.
	h := hdrhistogram.New(1, 60_000_000, 3)
	return &Report{Protocol: protocol, Size: size, events: events, latency: h}
}

func (r *Report) fail(err error) { r.failures = append(r.failures, err) }

const header = "" +
	"\t\t\tnative\tcallbacks\tfrom\thang-up\tto C\t\n" +
	"\t\t\tcalls\ton normal\thaving\treturned\t\t\n" +
	"protocol\trequests\thang-ups\tstopped\tcompletion\tp50\tp99\tmax\t\n"

// Table writes the reports, one protocol a line.
func Table(w io.Writer, reports []*Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, header)
	for _, r := range reports {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t\n", r.Protocol, len(r.normal), len(r.hungUp), r.stopped, r.callbacks(),
			ms(r.latency.ValueAtQuantile(50)), ms(r.latency.ValueAtQuantile(99)), ms(r.latency.Max()))
	}
	return t.Flush()
}

func ms(µs int64) string { return fmt.Sprintf("%.2f ms", float64(µs)/1000) }

// callbacks is how many disconnect callbacks ran for requests that completed.
func (r *Report) callbacks() (n int) {
	for _, id := range r.normal {
		n += r.events.Callbacks(id)
	}
	return n
}

// Check returns an error that says what went wrong, nil if every hang-up stopped
// its call, with one callback, and no normal completion ran one.
func Check(reports []*Report) error {
	var errs []error
	for _, r := range reports {
		say := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf(r.Protocol+": "+format, args...))
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
