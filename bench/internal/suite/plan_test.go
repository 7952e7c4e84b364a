package suite

import (
	"testing"
	"time"
)

// The plans keep what the documents say of them.
func TestPlan_times(t *testing.T) {
	total := func(p Plan) (d time.Duration) {
		for _, part := range p.parts(nil, nil) {
			d += part.budget
		}
		return d
	}
	if d := total(Full()); d > 14*time.Minute {
		t.Errorf("the full run is planned for %v", d)
	}
	if d := total(Quick()); d > 50*time.Second {
		t.Errorf("the quick one for %v", d)
	}
	for _, d := range []time.Duration{2 * time.Minute, 5 * time.Minute} {
		if got := total(Full().For(d)); got < d-time.Second || got > d+time.Second {
			t.Errorf("one for %v for %v", d, got)
		}
	}
}
