package frameworks_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/internal/leaktest"
)

func TestMain(m *testing.M) {
	leaktest.Main(m,
		// native parks its goroutines for some seconds.
		goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}
