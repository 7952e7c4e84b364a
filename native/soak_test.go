//go:build cgo

package native_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A soaker is one goroutine of a stress test, and what it is at.
type soaker struct {
	i     int          // of the round
	begun atomic.Int64 // rounds
	at    atomic.Pointer[string]
}

// waits says what the soaker waits for from now on.
func (s *soaker) waits(what string) { s.at.Store(&what) }

func (s *soaker) String() string {
	if p := s.at.Load(); p != nil {
		return *p
	}
	return "its round"
}

const (
	soakLine  = 10 * time.Second // between lines of progress
	soakBound = time.Minute      // what no round takes on any machine
)

// soak calls round for 0 to n-1 on so many goroutines, until the test fails, and returns when the last
// has returned. Meanwhile it logs how many have. A round that takes a minute fails the test at
// once, with what it waits for and the stacks of all goroutines.
func soak(t *testing.T, goroutines, n int, round func(*soaker)) {
	t.Helper()
	soakers := make([]soaker, goroutines)
	var made atomic.Int64
	var wg sync.WaitGroup
	for g := range soakers {
		wg.Go(func() {
			s := &soakers[g]
			for s.i = g; s.i < n && !t.Failed(); s.i += goroutines {
				s.begun.Add(1)
				round(s)
				made.Add(1)
			}
			s.begun.Store(0)
		})
	}
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	watchSoak(t, soakers, n, &made, over)
}

func watchSoak(t *testing.T, soakers []soaker, n int, made *atomic.Int64, over <-chan struct{}) {
	t.Helper()
	start := time.Now()
	since := make([]time.Time, len(soakers)) // when it was seen in its round for the first time
	seen := make([]int64, len(soakers))
	for line := time.NewTicker(soakLine); ; {
		select {
		case <-over:
			return
		case <-line.C:
		}
		t.Logf("%d of %d made in %v", made.Load(), n, time.Since(start).Round(time.Second))
		for g := range soakers {
			switch begun := soakers[g].begun.Load(); {
			case begun != seen[g]:
				seen[g], since[g] = begun, time.Now()
			case begun != 0 && time.Since(since[g]) >= soakBound:
				buf := make([]byte, 1<<20)
				t.Fatalf("round %d of goroutine %d takes more than %v: it waits for %v\n%s",
					begun, g, soakBound, &soakers[g], buf[:runtime.Stack(buf, true)])
			}
		}
	}
}
