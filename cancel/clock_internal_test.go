//go:build linux

package cancel

import (
	"testing"
	"time"
)

// A processor that was lost between the readings of the two clocks shifts no deadline.
func TestPairClocks(t *testing.T) {
	start := time.Now()
	tries := 0
	p := pairClocks(func() int64 {
		if tries++; tries == 1 {
			for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
			}
			return -1 // the pair to be thrown away
		}
		return time.Since(start).Nanoseconds()
	})
	if early := p.time.Sub(start).Nanoseconds() - p.ns; p.ns < 0 || early > 0 {
		t.Errorf("C's clock is %d ns ahead of Go's", early)
	}
}
