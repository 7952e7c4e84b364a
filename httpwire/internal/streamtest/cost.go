package streamtest

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// token is what an LLM server sends at a time.
const token = "a token of 20 bytes."

// Bench measures Emit of a token against what it stands for, Write and Flush of the same
// bytes: in turns, on the same response, whose client reads all. The metric emit/plain is
// the median of the ratios of neighbouring batches.
func Bench(b *testing.B, p Protocol) {
	for _, c := range costs {
		b.Run(c.name, func(b *testing.B) { bench(b, p, c) })
	}
}

type cost struct {
	name  string
	plain string
	open  func(http.ResponseWriter, *http.Request) (emit func() error, err error)
}

var costs = []cost{
	{"chunks", token, func(w http.ResponseWriter, r *http.Request) (func() error, error) {
		s, err := httpwire.NewChunks(w, r, nil)
		tok := []byte(token)
		return func() error { return s.Emit(tok) }, err
	}},
	{"events", "data: " + token + "\n\n", func(w http.ResponseWriter, r *http.Request) (func() error, error) {
		s, err := httpwire.NewEventStream(w, r, nil)
		return func() error { return s.Emit(httpwire.Event{Data: token}) }, err
	}},
	{"events with SendTimeout", "data: " + token + "\n\n", func(w http.ResponseWriter, r *http.Request) (func() error, error) {
		s, err := httpwire.NewEventStream(w, r, &httpwire.StreamOptions{SendTimeout: time.Minute})
		return func() error { return s.Emit(httpwire.Event{Data: token}) }, err
	}},
}

func bench(b *testing.B, p Protocol, c cost) {
	ended := make(chan error, 1)
	url := p.Serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ended <- race(b, w, r, c)
	}), func(h http.Handler) http.Handler { return h })
	rsp, err := p.Client(b).Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer rsp.Body.Close()
	if _, err := io.Copy(io.Discard, rsp.Body); err != nil {
		b.Fatal(err)
	}
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// race times batches of the two, which is first taking turns as well.
func race(b *testing.B, w http.ResponseWriter, r *http.Request, c cost) error {
	emit, err := c.open(w, r)
	if err != nil {
		return err
	}
	rc, bytes := http.NewResponseController(w), []byte(c.plain)
	plain := func() error {
		if _, err := w.Write(bytes); err != nil {
			return err
		}
		return rc.Flush()
	}
	const batch = 50
	var ratios []float64
	b.ResetTimer()
	for i := 0; i < b.N; i += 2 * batch {
		first, second := emit, plain
		if i/(2*batch)%2 == 1 {
			first, second = plain, emit
		}
		d1, err := timed(batch, first)
		if err != nil {
			return err
		}
		d2, err := timed(batch, second)
		if err != nil {
			return err
		}
		if i/(2*batch)%2 == 1 {
			d1, d2 = d2, d1
		}
		ratios = append(ratios, float64(d1)/float64(d2))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "emit/plain")
	return nil
}

func timed(n int, f func() error) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := f(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}
