package streamtest

import (
	"bytes"
	"regexp"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Blocked waits until the one send of the program's streams is blocked, and n, which counts
// those that have returned, stands still.
func Blocked(t testing.TB, n *atomic.Int64) {
	t.Helper()
	end := time.Now().Add(bound)
	last := int64(-1)
	for same := 0; same < 20; same++ {
		if now := n.Load(); now != last || !waiting() {
			last, same = now, 0
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v for Emit to block: %d have not", bound, last)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

var blocked = regexp.MustCompile("IO wait|select|chan receive") // HTTP/1, 2 and 3

// waiting reports whether there is a goroutine in a stream's send that can't run.
func waiting() bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for g := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		state, _, _ := bytes.Cut(g, []byte("\n"))
		if bytes.Contains(g, []byte(".(*stream).send(")) && blocked.Match(state) {
			return true
		}
	}
	return false
}
