//go:build cgo

package nativetest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Parked workers are goroutines that nobody has lost.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}
