package h3_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/hangup-go/hangup/internal/leaktest"
)

// The sizes of the stress tests, over all protocols: httpwire has 17 parts of 20
// and h3 has 3. The figures of the guarantee are 1000000 and 100000.
var (
	requests = flag.Int("hangup.requests", 6000, "normal completions in the stress tests, in all")
	aborts   = flag.Int("hangup.aborts", 1500, "requests that the stress tests abort, in all")
)

// share is this package's part of n.
func share(n int) int64 {
	if testing.Short() {
		n /= 10
	}
	return int64(max(n*3/20, 20))
}

// bound is how long a test waits for an event before it gives up.
const bound = 10 * time.Second

func TestMain(m *testing.M) {
	if addr := os.Getenv(client0RTT); addr != "" {
		os.Exit(run0RTT(addr, os.Stdin))
	}
	flag.Parse()
	leaktest.Main(m)
}
