package llamatest

import (
	"testing"
	"time"
)

// Half of all moments are in the long gap, and of those half in its second half; of the others all
// are within 3.
func TestNext(t *testing.T) {
	if n := Next([]time.Duration{3, 3, 3, 3, 12}); n != 3 {
		t.Errorf("%v, want 3", n)
	}
	if n := Next([]time.Duration{100}); n != 50 {
		t.Errorf("%v, want 50", n)
	}
}
