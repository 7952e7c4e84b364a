package httpwire_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// The sizes of the stress tests, over all protocols: httpwire has 17 parts of 20
// and h3 has 3. The figures of the guarantee are 1000000 and 100000.
var (
	requests = flag.Int("hangup.requests", 6000, "normal completions in the stress tests, in all")
	aborts   = flag.Int("hangup.aborts", 1500, "requests that the stress tests abort, in all")
)

// share is this package's part of n, split over so many variants.
func share(n, variants int) int {
	if testing.Short() {
		n /= 10
	}
	return max(n*17/20/variants, 20)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
