package result

import (
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Quantiles are those of what was recorded, and those that so few samples can't tell are left out.
func TestRecorder_quantiles(t *testing.T) {
	for _, n := range []int{1, 199, 200, 1999, 2000} {
		r := NewRecorder()
		for i := range n {
			r.Record(time.Duration(i+1) * time.Millisecond)
			if i%50 == 49 {
				r.EndRound()
			}
		}
		d := r.Dist(true)
		at := func(q float64) time.Duration { return time.Duration(q * float64(n) * float64(time.Millisecond)) }
		if d.N != int64(n) || n > 1 && (!near(d.P50, at(0.5)) || !near(d.P90, at(0.9))) || !near(d.Max, at(1)) || len(d.Rounds) != (n+49)/50 {
			t.Errorf("of %d: %+v", n, d)
		}
		if (d.P99 != 0) != (n >= 200) || n >= 200 && !near(d.P99, at(0.99)) || (d.P999 != 0) != (n >= 2000) || n >= 2000 && !near(d.P999, at(0.999)) {
			t.Errorf("of %d: p99 %v, p99.9 %v", n, d.P99, d.P999)
		}
		if h := d.Histogram(); h == nil || h.TotalCount() != d.N || !near(time.Duration(h.Max()), d.Max) {
			t.Errorf("of %d: the histogram kept is another", n)
		}
	}
}

// near allows for the histogram's three digits, and for one sample.
func near(got, want time.Duration) bool {
	return max(got-want, want-got) <= want/500+time.Millisecond
}

// Files are written all, or the old ones stay.
func TestFiles_allOrNone(t *testing.T) {
	dir := t.TempDir()
	if err := (Files{"a": []byte("1"), "b": []byte("1")}).Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".c.new"), 0o755); err != nil { // where c would be written first
		t.Fatal(err)
	}
	if err := (Files{"a": []byte("2"), "b": []byte("2"), "c": []byte("2")}).Write(dir); err == nil {
		t.Error("no error")
	}
	for _, name := range []string{"a", "b"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != "1" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".[ab].new"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRead_wrong(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"none": "", "other": `{"Format": 99}`} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The interval of a median is by ranks: of 100 ten to each side, and of few all of them.
func TestMedianOf(t *testing.T) {
	v := make([]float64, 100)
	for i := range v {
		v[len(v)-1-i] = float64(i + 1)
	}
	if got, want := MedianOf(v), (Ratio{41, 51, 61}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := MedianOf([]float64{3, 1, 2}), (Ratio{1, 2, 3}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := MedianOf(nil); got != (Ratio{}) {
		t.Errorf("of nothing: %v", got)
	}
}

// A machine whose processors are all taken is busy.
func TestBusy(t *testing.T) {
	var over atomic.Bool
	defer over.Store(true)
	for range runtime.NumCPU() {
		go func() {
			for !over.Load() {
			}
		}()
	}
	m := Machine{BusyBefore: busyFor(300 * time.Millisecond)}
	if m.BusyBefore < 0.8 || m.BusyBefore > 1 || !m.Busy() {
		t.Errorf("with every processor taken, %.2f of them are", m.BusyBefore)
	}
	if (Machine{}).Busy() {
		t.Error("an idle machine is busy")
	}
}
