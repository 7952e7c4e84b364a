package httpwire

import (
	"math/rand/v2"
	"testing"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// sinks is a map, whatever the numbers are.
func TestSinks(t *testing.T) {
	var s sinks
	want, rnd := map[uint64]wire.Sink{}, rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		id := 1 + rnd.Uint64N(100)
		if rnd.IntN(10) == 0 {
			id += anonymous
		}
		switch _, ok := want[id]; {
		case !ok:
			want[id] = new(watch)
			s.set(id, want[id])
		case rnd.IntN(2) == 0:
			delete(want, id)
			s.remove(id)
		}
		if s.get(id) != want[id] {
			t.Fatalf("get(%d) = %p, want %p", id, s.get(id), want[id])
		}
		if id = rnd.Uint64N(1000); s.get(id) != want[id] {
			t.Fatalf("get(%d) = %p, want %p", id, s.get(id), want[id])
		}
	}
	all := s.all()
	if len(all) != len(want) {
		t.Fatalf("%d of %d", len(all), len(want))
	}
	for _, sink := range want {
		found := 0
		for _, got := range all {
			if got == sink {
				found++
			}
		}
		if found != 1 {
			t.Fatalf("all has one %d times", found)
		}
	}
}
