package httpwire_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// requests is the size of the stress tests: normal completions per protocol; a
// tenth as many are aborted in the middle.
var requests = flag.Int("hangup.requests", 300, "normal completions per protocol in the stress tests")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
