package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/result"
)

// made are results of two contenders of which one takes times as long.
func made(times time.Duration) *result.Results {
	r := &result.Results{Format: result.Format}
	for i, name := range []string{baseline, "context.AfterFunc"} {
		rec := result.NewRecorder()
		for n := range 400 {
			rec.Record(time.Duration(n%40+60) * time.Microsecond * max(times*time.Duration(i), 1))
			if n%40 == 39 {
				rec.EndRound()
			}
		}
		r.Latency = append(r.Latency, result.Cell{
			Load: loud, Protocol: "HTTP/1.1", Contender: name, Ours: i == 0, Trials: 400,
			Times: map[result.Stage]result.Dist{result.Flag: rec.Dist(true), result.Handler: rec.Dist(true)},
		})
	}
	return r
}

// Compare tells a change, and tells none where there is none.
func TestCompare(t *testing.T) {
	var same, slower strings.Builder
	if err := Compare(&same, made(10), made(10)); err != nil {
		t.Fatal(err)
	}
	if err := Compare(&slower, made(10), made(20)); err != nil {
		t.Fatal(err)
	}
	if s := same.String(); strings.Count(s, "~ (p=1.000 n=10)") != 4 || strings.Contains(s, "%)") {
		t.Errorf("of the same:\n%s", s)
	}
	if s := slower.String(); strings.Count(s, "+100.00% (p=0.000 n=10)") != 2 || strings.Count(s, "~") != 2 {
		t.Errorf("of one that takes twice as long:\n%s", s)
	}
}

// Ratios are of the same round's medians, and what was aimed at is judged by them.
func TestRatios(t *testing.T) {
	r := made(2000)
	ratio, ok := ratios(r, r.Latency[1], result.Flag)
	if !ok || ratio.Median != 2000 || ratio.Q1 != 2000 || ratio.Q3 != 2000 {
		t.Errorf("%+v, %v", ratio, ok)
	}
	var text strings.Builder
	if err := Text(&text, r); err != nil {
		t.Fatal(err)
	}
	if s := text.String(); !strings.Contains(s, "at least 1000  2") || strings.Contains(s, "missed\n") {
		t.Errorf("2000 times as long:\n%s", s)
	}
	text.Reset()
	if err := Text(&text, made(900)); err != nil {
		t.Fatal(err)
	}
	if s := text.String(); !strings.Contains(s, ", missed\n") {
		t.Errorf("900 times as long:\n%s", s)
	}
}

// What the README has between its marks is replaced, and nothing else.
func TestSplice(t *testing.T) {
	got, err := Splice([]byte("before\n"+begin+"old\n"+end+"after\n"), made(3))
	if err != nil {
		t.Fatal(err)
	}
	s := string(got)
	if !strings.HasPrefix(s, "before\n"+begin) || !strings.HasSuffix(s, end+"after\n") || strings.Contains(s, "old\n") {
		t.Error(s)
	}
	if again, err := Splice(got, made(3)); err != nil || string(again) != s {
		t.Errorf("a second time: %v, %s", err, again)
	}
	if _, err := Splice([]byte("nothing"), made(3)); err == nil {
		t.Error("no marks, and no error")
	}
}

// Every plot that there is something to draw of is drawn, in both forms.
func TestPlots(t *testing.T) {
	files, err := Plots(made(1000))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"latency.svg", "latency.png", "ratios.svg", "ratios.png"} {
		if len(files[name]) < 1000 {
			t.Errorf("%s has %d bytes", name, len(files[name]))
		}
	}
	if files, err := Plots(new(result.Results)); err != nil || len(files) > 0 {
		t.Errorf("of nothing: %d files, %v", len(files), err)
	}
}

// What is written in words is of the right cells: the first of each load's times are told apart here by their own number.
func TestExcerpt_words(t *testing.T) {
	r := made(3)
	dist := func(d time.Duration) result.Dist { return result.Dist{N: 1, P50: d} }
	for i, load := range []string{busy4, bounded4, bounded16} {
		ms := time.Duration(i+1) * time.Millisecond
		r.Latency = append(r.Latency, result.Cell{
			Load: load, Protocol: "HTTP/1.1", Contender: baseline, Times: map[result.Stage]result.Dist{result.Flag: dist(1), result.Done: dist(ms)},
		})
	}
	r.Latency[0].Times[result.Done] = dist(4 * time.Millisecond)
	for i, load := range []string{busy4, loud, bounded4, bounded16} {
		for j, p := range []string{"HTTP/2", "HTTP/3", closed} {
			r.Latency = append(r.Latency, result.Cell{
				Load: load, Protocol: p, Contender: baseline, Observed: true,
				Times: map[result.Stage]result.Dist{result.Flag: dist(time.Duration(10*j+i+11) * time.Millisecond)},
			})
		}
	}
	for name, missed := range map[string]int{baseline: 0, "one": 7, "another": 5} {
		r.Counts = append(r.Counts, result.Count{Contender: name, Ours: name == baseline, Kind: string(protocol.Get), Clients: 10, Missed: missed},
			result.Count{Contender: name, Ours: name == baseline, Kind: string(protocol.Answered), Clients: 10})
	}
	got, err := Splice([]byte(begin+end), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"is back after 1.00 ms and 4.00 ms (p50)", "twice that, after 2.00 ms and 3.00 ms.",
		"HTTP/2 is set after 11.0 ms and 12.0 ms, and then after 13.0 ms and 14.0 ms; on HTTP/3 after 21.0 ms and 22.0 ms, and then after 23.0 ms and 24.0 ms;",
		"by the thread in C, after 31.0 ms and 32.0 ms.",
		"Of 10 clients that left, in 1 ways, hangup missed 0 and each of the others 5 or more; it stopped 0 calls for nothing.",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// What spare Ps bring is a ratio of the ways back, and not of the whole.
func TestAims_back(t *testing.T) {
	r := new(result.Results)
	for load, back := range map[string]time.Duration{busy4: 99 * time.Millisecond, spare4: time.Millisecond} {
		r.Latency = append(r.Latency, result.Cell{
			Load: load, Protocol: "HTTP/1.1", Contender: baseline, Back: result.Dist{P50: back},
			Times: map[result.Stage]result.Dist{result.Seen: {P50: time.Second}, result.Done: {P50: time.Second + back}},
		})
	}
	var b bytes.Buffer
	if aimTable(&b, r); !strings.Contains(b.String(), "times with spare Ps | at least 100 | 99.0, missed |") {
		t.Error(b.String())
	}
}

// Of what Configure costs the protocol that loses most is judged, and no other set.
func TestAims_configure(t *testing.T) {
	r := new(result.Results)
	for set, slower := range map[string][]float64{"configured": {1, 3.5, -7}, "configured, a handler around it": {9}, "plain, against itself": {8}} {
		for _, s := range slower {
			r.Requests = append(r.Requests, result.RequestCost{Set: set, Slower: result.Ratio{Median: s}})
		}
	}
	var b bytes.Buffer
	if aimTable(&b, r); !strings.Contains(b.String(), "fewer requests a second | at most 3.00 | 3.50, missed |") {
		t.Error(b.String())
	}
}

// A little less than nothing is nothing, and what is less is said.
func TestWhole(t *testing.T) {
	for x, want := range map[float64]string{-0.002: "0", 0: "0", 1.98: "2", -0.9: "-1"} {
		if got := whole(x); got != want {
			t.Errorf("%v is %q, want %q", x, got, want)
		}
	}
}

// The aims for less than a call are judged by their own figures, with the limits that were set.
func TestAims_micro(t *testing.T) {
	for limit, met := range map[float64]bool{0.9: true, 1.1: false} {
		ns := time.Duration(500 * limit)
		r := &result.Results{
			Polls: []result.CallCost{{Name: "Go"}, {Name: "C", Ours: true, Against: result.Ratio{Median: limit / 30}}},
			Cancels: []result.CancelTime{
				{Load: "idle", Time: result.Dist{P50: 1, P999: 1}}, {Load: busy4, Time: result.Dist{P50: ns, P999: 20 * ns}},
			},
		}
		var b bytes.Buffer
		aimTable(&b, r)
		if n := strings.Count(b.String(), "\n| a poll") + strings.Count(b.String(), "p50, µs") + strings.Count(b.String(), "p99.9, µs"); n != 3 || strings.Contains(b.String(), "missed") == met {
			t.Errorf("at %v of the limits:\n%s", limit, b.String())
		}
		if n := strings.Count(b.String(), "missed"); !met && n != 3 {
			t.Errorf("%d of 3 are missed:\n%s", n, b.String())
		}
	}
}

// A load under which only some rivals were measured, before or behind the others, has no panel among those of all.
func TestPlots_ratiosOfAll(t *testing.T) {
	r := made(10)
	two := r.Latency[1]
	two.Contender = "another"
	var few []result.Cell
	for _, c := range r.Latency {
		c.Load = bounded4
		few = append(few, c)
	}
	all := append(r.Latency, two)
	for _, cells := range [][]result.Cell{append(all[:len(all):len(all)], few...), append(few[:len(few):len(few)], all...)} {
		r.Latency = cells
		files, err := Plots(r)
		if err != nil {
			t.Fatal(err)
		}
		if svg := string(files["ratios.svg"]); !strings.Contains(svg, ">"+loud+"<") || strings.Contains(svg, ">"+bounded4+"<") {
			t.Errorf("panels of %s: %v; of %s: %v", loud, strings.Contains(svg, ">"+loud+"<"), bounded4, strings.Contains(svg, ">"+bounded4+"<"))
		}
	}
}
