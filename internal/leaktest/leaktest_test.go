package leaktest

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// What goes away in time is no leak, what stays is, and is named.
func TestCheck(t *testing.T) {
	stay := make(chan struct{})
	go lingers(stay)
	others := goleak.IgnoreCurrent()
	var log strings.Builder
	if code := check(&log, 0, others); code != 0 {
		t.Errorf("code %d for a goroutine that is ignored, want 0: %s", code, &log)
	}
	if code := check(&log, 0); code != 1 || !strings.Contains(log.String(), "leaktest.lingers") {
		t.Errorf("code %d, log %q; want 1, and the name of what stays", code, &log)
	}
	time.AfterFunc(2*time.Second, func() { close(stay) }) // goleak itself waits for half a second
	if code := check(&log, patience); code != 0 {
		t.Errorf("code %d for what goes away after two seconds, want 0: %s", code, &log)
	}
}

func lingers(stay chan struct{}) { <-stay }

func TestMain(m *testing.M) { Main(m) }
