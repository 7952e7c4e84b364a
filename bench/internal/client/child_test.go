package client

import (
	"testing"
	"time"
)

// Requests are left from half a gap to one and a half apart, at moments that are in step with nothing.
func TestTimes(t *testing.T) {
	const n, gap = 1000, 10 * time.Millisecond
	last, phases := int64(1e9), map[int64]int{}
	for _, at := range times(last, n, gap) {
		if d := time.Duration(at - last); d < gap/2 || d > gap*3/2 {
			t.Errorf("%v after the one before", d)
		}
		last = at
		phases[at%int64(gap)/int64(time.Millisecond)]++
	}
	for phase := range int64(10) {
		if c := phases[phase]; c < n/20 || c > n/5 {
			t.Errorf("%d of %d in phase %d of 10", c, n, phase)
		}
	}
}
