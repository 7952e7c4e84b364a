package h3_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// requests is how many requests the stress tests complete; a tenth of it is
// aborted in the middle. The figure in the issue is 100000.
var requests = flag.Int("hangup.requests", 500, "requests completed normally by each stress test")

// bound is how long a test waits for an event before it gives up.
const bound = 10 * time.Second

func TestMain(m *testing.M) {
	if addr := os.Getenv(client0RTT); addr != "" {
		os.Exit(run0RTT(addr, os.Stdin))
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}
