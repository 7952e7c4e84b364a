// Package leaktest ends the tests of a package with a look for goroutines that they
// have left behind.
package leaktest

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines that are about to end may take. goleak's own, half a
// second, is less than a machine takes to run a thread that has so many others beside it as when the
// tests of several packages keep every processor busy.
const patience = 20 * time.Second

// Main runs the tests of a package, and fails if they leave a goroutine behind. It does not return.
func Main(m *testing.M, ignore ...goleak.Option) {
	code := m.Run()
	if code == 0 {
		code = check(os.Stderr, patience, ignore...)
	}
	os.Exit(code)
}

// check returns 0 once nothing is left, and 1 if that takes longer than the patience.
func check(log io.Writer, patience time.Duration, ignore ...goleak.Option) int {
	for end := time.Now().Add(patience); ; {
		err := goleak.Find(ignore...) // looks several times
		if err == nil {
			return 0
		}
		if time.Now().After(end) {
			_, _ = fmt.Fprintf(log, "goroutines that are left after %v: %v\n", patience, err)
			return 1
		}
	}
}
