package native

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// N7: the bound holds when a releaser is late: the waiter that it counted on has left, and
// others have come. Its place is the leaver's debt, not the next waiter's.
func TestAdmission_lateReleaser(t *testing.T) {
	p := &Pool{Size: 1}
	if err := p.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- p.acquire(ctx) }()
	inLine(t, p, 1)
	n := p.load.Add(-1) // the first half of release, before it meets the waiter
	stop()
	if err := <-left; err == nil {
		t.Fatal("a waiter whose context is done has a place")
	}
	if err := p.acquire(t.Context()); err != nil { // the place is free by count
		t.Fatal(err)
	}
	got := make(chan error)
	go func() { got <- p.acquire(t.Context()) }()
	inLine(t, p, 1)
	p.handOver(n) // the second half
	if q := p.Stats().Queued; q != 1 || p.credit != 0 {
		t.Errorf("%d in line, credit %d: two have the only place", q, p.credit)
	}
	p.release()
	if err := <-got; err != nil {
		t.Error(err)
	}
	p.release()
	if load := p.load.Load(); load != 0 || p.credit != 0 {
		t.Errorf("load %d, credit %d", load, p.credit)
	}
}

func inLine(t *testing.T, p *Pool, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); p.Stats().Queued != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited for %d in line", n)
		}
	}
}

// N7: a pool is drained when its last waiter leaves, though the releaser that
// it had counted on is late.
func TestAdmission_lastLeaves(t *testing.T) {
	p := &Pool{Size: 1}
	if err := p.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- p.acquire(ctx) }()
	inLine(t, p, 1)
	n := p.load.Add(-1) // the first half of release
	drained := p.shut()
	stop()
	<-left
	select {
	case <-drained:
	default:
		t.Error("not drained")
	}
	p.handOver(n)
	if load := p.load.Load(); load != shutBit || p.credit != 0 {
		t.Errorf("load %d, credit %d", load, p.credit)
	}
}

// N7: who comes to the line after Close has emptied it does not wait in it for ever.
func TestAdmission_lateForClose(t *testing.T) {
	p := &Pool{Size: 1}
	if err := p.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.load.Add(1) // the first half of acquire
	drained := p.shut()
	p.expelAll()
	if w, err := p.lineUp(); w != nil || !errors.Is(err, ErrPoolClosed) { // the second
		t.Errorf("in line %v, error %v", w != nil, err)
	}
	p.release()
	<-drained
}

// N7: and when a waiter is late: the place that it was counted on for waits for it.
func TestAdmission_lateWaiter(t *testing.T) {
	p := &Pool{Size: 1}
	if err := p.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.load.Add(1) // the first half of acquire
	p.release()
	if w, err := p.lineUp(); w != nil || err != nil { // the second
		t.Errorf("in line for a place that is there: %v", err)
	}
	p.release()
	if load := p.load.Load(); load != 0 || p.credit != 0 {
		t.Errorf("load %d, credit %d", load, p.credit)
	}
}

// N6: of the caller that abandons and the worker that returns, one wins.
func TestAbandon_oneWins(t *testing.T) {
	n := int64(50_000)
	if testing.Short() {
		n = 5_000
	}
	var round, awake, decided atomic.Int64
	until := func(word *atomic.Int64, i int64) {
		for spins := 1; word.Load() < i; spins++ {
			if spins%64 == 0 { // one processor, or a busy one
				runtime.Gosched()
			}
		}
	}
	c, s := new(Call), new(crew)
	go func() { // the worker
		for i := int64(1); i <= n; i++ {
			until(&round, i)
			awake.Store(i)
			for range i / 32 % 32 { // meet the caller at every moment
				round.Load()
			}
			c.abandon.decide()
			decided.Store(i)
		}
	}()
	gone := int64(0)
	for i := int64(1); i <= n; i++ {
		c.abandon.may = true
		round.Store(i)
		until(&awake, i)
		for range i % 32 {
			round.Load()
		}
		abandoned := s.abandon(c)
		until(&decided, i)
		if c.abandon.late != abandoned {
			t.Fatalf("round %d: abandoned %v, and the worker found %v", i, abandoned, c.abandon.late)
		}
		if abandoned {
			gone++
		}
		c.abandon.reset()
	}
	t.Logf("%d of %d abandoned", gone, n)
}

// N10: a lease and Retire meet: either there is none, or nothing is freed before its end.
func TestHandle_leaseOrClosed(t *testing.T) {
	n := int64(20_000)
	if testing.Short() {
		n = 2_000
	}
	var round, done atomic.Int64
	var h *Handle[int]
	var err error
	freed := 0
	go func() {
		for i := int64(1); i <= n; i++ {
			for spins := 1; round.Load() < i; spins++ {
				if spins%64 == 0 {
					runtime.Gosched()
				}
			}
			err = h.take()
			done.Store(i)
		}
	}()
	leased := 0
	for i := int64(1); i <= n; i++ {
		h, freed = NewHandle(1, func(int) { freed++ }), 0
		round.Store(i)
		for range i % 64 {
			done.Load()
		}
		h.Retire()
		for spins := 1; done.Load() < i; spins++ {
			if spins%64 == 0 {
				runtime.Gosched()
			}
		}
		if err == nil {
			leased++
			if freed != 0 {
				t.Fatal("freed under a lease")
			}
			h.release()
		}
		if freed != 1 {
			t.Fatalf("freed %d times", freed)
		}
	}
	t.Logf("%d of %d leased", leased, n)
}
