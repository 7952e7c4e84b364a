package httpwire_test

import (
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// Robustness: resets that nobody asks for are not kept without bound, before the
// first request and behind the last.
func TestEarlyResets_bounded(t *testing.T) {
	for _, attached := range []uint32{0, 1 << 30} {
		var e httpwire.EarlyResets
		if attached != 0 {
			e.Attach(attached)
		}
		for id := range uint32(100000) {
			e.Keep(2*id+1, 8)
		}
		if n := e.Len(); n > 4096 {
			t.Errorf("%d resets are kept", n)
		}
	}
}

// H1: a flood of resets behind it does not lose the reset of a handler that is slow
// to attach; nor does a long life of the connection before it.
func TestEarlyResets_slowHandler(t *testing.T) {
	var e httpwire.EarlyResets
	const history = 20000
	for id := uint32(1); id < history; id += 2 { // each reset behind its end
		e.Attach(id)
		e.Keep(id, 8)
	}
	for id := uint32(history + 1); id < 3*history; id += 2 { // the server ignores the most of them
		e.Keep(id, id)
	}
	for n := uint32(1250); n > 0; n-- { // what it admits, the slowest first
		id := history + 2*n - 1
		if code, ok := e.Attach(id); !ok || code != id {
			t.Fatalf("stream %d, %dth of the flood: code %d, %v", id, n, code, ok)
		}
	}
	if _, ok := e.Attach(history + 1); ok {
		t.Error("a reset was told twice")
	}
}

// H1: a reset that had to go is known to be lost, and no other.
func TestEarlyResets_lost(t *testing.T) {
	var e httpwire.EarlyResets
	const late, streams = 101, 20000 // its handler has been started, and does not get a processor
	for id := uint32(1); id < streams; id += 2 {
		e.Keep(id, 8)
		if id != late && id > late {
			e.Attach(id)
			e.Keep(id, 8) // behind its end
		}
	}
	if _, ok := e.Attach(late); ok {
		t.Fatal("it was kept: nothing is lost")
	}
	if !e.Lost(late) {
		t.Error("the reset had to go, and nobody knows")
	}
	if e.Lost(streams + 1) {
		t.Error("a stream that was not reset counts as lost")
	}
}
