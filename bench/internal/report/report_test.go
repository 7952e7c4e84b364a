package report

import (
	"strings"
	"testing"
	"time"

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
