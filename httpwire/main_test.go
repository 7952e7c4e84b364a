package httpwire_test

import (
	"flag"
	"strconv"
	"testing"

	"github.com/hangup-go/hangup/internal/leaktest"
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

// atOnce is how many parallel tests run at a time, on however few processors: what
// they do most of the time is wait, for a deadline or for a kernel's timer.
const atOnce = 32

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", strconv.Itoa(atOnce)) // a -parallel on the command line comes later
	leaktest.Main(m)
}
