//go:build cgo

package nativetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/internal/leaktest"
)

// Parked workers are goroutines that nobody has lost.
func TestMain(m *testing.M) {
	leaktest.Main(m, goleak.IgnoreTopFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}
