package result

import (
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Dist is a distribution of times.
type Dist struct {
	N        int64
	P50, P90 time.Duration
	P99      time.Duration `json:",omitempty"` // 0: too few samples to say
	P999     time.Duration `json:",omitempty"` // the same
	Max      time.Duration
	Rounds   []time.Duration // the median of each round
	HDR      string          `json:",omitempty"` // the histogram, as HdrHistogram encodes it
}

// Histogram returns the distribution whole, or nil if it was not kept.
func (d Dist) Histogram() *hdrhistogram.Histogram {
	h, err := hdrhistogram.Decode([]byte(d.HDR))
	if err != nil {
		return nil
	}
	return h
}

// A Recorder makes a Dist of times that come in rounds.
type Recorder struct {
	h      *hdrhistogram.Histogram
	round  []time.Duration
	rounds []time.Duration
}

// longest is what a histogram holds: no trial lasts longer.
const longest = 5 * time.Minute

// NewRecorder returns one that has recorded nothing.
func NewRecorder() *Recorder { return &Recorder{h: hdrhistogram.New(1, int64(longest), 3)} }

// Record adds a time. One that is not positive counts as a nanosecond: two processors' readings of
// one clock may be some apart.
func (r *Recorder) Record(d time.Duration) {
	_ = r.h.RecordValue(min(max(int64(d), 1), int64(longest)))
	r.round = append(r.round, d)
}

// EndRound ends the round.
func (r *Recorder) EndRound() {
	if len(r.round) > 0 {
		r.rounds = append(r.rounds, median(r.round))
		r.round = r.round[:0]
	}
}

func median(v []time.Duration) time.Duration {
	slices.Sort(v)
	return v[len(v)/2]
}

// Dist returns what was recorded. The whole distribution is in it if keep says so.
func (r *Recorder) Dist(keep bool) Dist {
	r.EndRound()
	at := func(q float64, min int64) time.Duration {
		if r.h.TotalCount() < min {
			return 0
		}
		return time.Duration(r.h.ValueAtQuantile(q))
	}
	d := Dist{
		N: r.h.TotalCount(), Rounds: r.rounds, Max: time.Duration(r.h.Max()),
		P50: at(50, 1), P90: at(90, 1), P99: at(99, enoughFor(0.99)), P999: at(99.9, enoughFor(0.999)),
	}
	if keep {
		if b, err := r.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err == nil {
			d.HDR = string(b)
		}
	}
	return d
}

// enoughFor is how many samples a quantile takes: two at least are to lie beyond it.
func enoughFor(q float64) int64 { return int64(math.Round(2 / (1 - q))) }

// Parts returns the medians of n parts of v, in order; or of fewer, if v is shorter.
func Parts(v []float64, n int) (medians []float64) {
	n = min(n, len(v))
	for i := range n {
		medians = append(medians, RatioOf(v[i*len(v)/n:(i+1)*len(v)/n]).Median)
	}
	return medians
}

// MedianOf returns the median of v between the ends of its interval of 95 percent, by ranks: it is zero if v is empty.
func MedianOf(v []float64) Ratio {
	if len(v) == 0 {
		return Ratio{}
	}
	v = slices.Sorted(slices.Values(v))
	off := int(math.Ceil(0.98 * math.Sqrt(float64(len(v)))))
	return Ratio{v[max(len(v)/2-off, 0)], v[len(v)/2], v[min(len(v)/2+off, len(v)-1)]}
}

// RatioOf returns the median and quartiles of v, zero if it is empty.
func RatioOf(v []float64) Ratio {
	if len(v) == 0 {
		return Ratio{}
	}
	v = slices.Sorted(slices.Values(v))
	return Ratio{v[len(v)/4], v[len(v)/2], v[len(v)*3/4]}
}
