package frameworks_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// native parks its goroutines for some seconds.
		goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}
