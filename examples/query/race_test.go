//go:build cgo

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
	"github.com/hangup-go/hangup/native"
)

// tinySQL is a few hundred instructions, and SQLite is made to look at the flag
// after each.
const tinySQL = "SELECT sum(id) FROM customers WHERE id < 100"

// N4: a cancel that races with the completion of a query never interrupts the
// next query on the same connection. The cancel comes at a random moment from
// before the first query to the end of the second. Every other time the first
// one's token is closed in between, as httpwire does when a handler returns:
// then its flag word is often the second one's. The other times the first
// handler is still busy while the connection serves the second.
func TestQuery_lateCancelSparesTheNext(t *testing.T) {
	store, err := sqlitedb.Open(sqlitedb.Options{Conns: 1, PollEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	flags := cancel.FlagsInUse()
	g := newGun()
	defer g.close()
	span := spanOf(t, store)

	var stopped, vain, inTime, late int
	for i := range *racesFlag {
		var tok cancel.Token
		g.aim(&tok, rand.N(span))
		err := runTiny(cancel.NewContext(context.Background(), &tok), store)
		if i%2 == 0 {
			tok.Close()
		}
		switch {
		case err == nil:
		case !errors.Is(err, errRace):
			t.Fatalf("the first query: %v", err)
		case stoppedInC(err):
			stopped++
		default:
			vain++ // cancelled before it was started
		}
		var next cancel.Token
		if err := runTiny(cancel.NewContext(context.Background(), &next), store); err != nil {
			t.Errorf("the next query: %v", err)
		}
		next.Close()
		if g.fired() {
			inTime++
		} else {
			late++
		}
		tok.Close()
	}
	t.Logf("%d races over %v: %d stopped in C, %d before C; %d cancels in time, %d late", *racesFlag, span, stopped, vain, inTime, late)
	if inTime < stopped+vain {
		t.Error("queries were stopped for a cancel that lost")
	}
	// On one processor nearly every cancel comes between two queries.
	if runtime.GOMAXPROCS(0) > 1 && (stopped == 0 || late == 0) {
		t.Error("the races were none: a cancel must come in time for some queries and late for others")
	}
	if n := cancel.FlagsInUse() - flags; n != 0 {
		t.Errorf("%d flags left behind", n)
	}
}

var errRace = errors.New("cancelled in a race")

// A gun cancels tokens after delays of microseconds, from a goroutine that never
// sleeps: waking one up takes longer than the races last.
type gun struct {
	shot   atomic.Pointer[shot]
	result atomic.Pointer[bool]
	quit   atomic.Bool
	ended  chan struct{}
}

type shot struct {
	at   *cancel.Token
	when time.Time
}

func newGun() *gun {
	g := &gun{ended: make(chan struct{})}
	go g.loop()
	return g
}

func (g *gun) loop() {
	defer close(g.ended)
	for !g.quit.Load() {
		if s := g.shot.Load(); s != nil && !time.Now().Before(s.when) {
			won := s.at.Cancel(errRace)
			g.shot.Store(nil)
			g.result.Store(&won)
		}
		runtime.Gosched() // the calls may have no other processor
	}
}

// aim makes the gun cancel a token after a delay; fired follows.
func (g *gun) aim(at *cancel.Token, delay time.Duration) {
	g.result.Store(nil)
	g.shot.Store(&shot{at, time.Now().Add(delay)})
}

// fired waits for the shot and reports whether Cancel won.
func (g *gun) fired() bool {
	for {
		if r := g.result.Load(); r != nil {
			return *r
		}
		runtime.Gosched()
	}
}

func (g *gun) close() {
	g.quit.Store(true)
	<-g.ended
}

func runTiny(ctx context.Context, store *sqlitedb.Store) error {
	c, err := store.Acquire(ctx)
	if err != nil {
		return err
	}
	defer store.Release(c)
	_, err = native.Do(ctx, func(call *native.Call) (*sqlitedb.Result, error) {
		return c.Query(call.Flag(), tinySQL, sqlitedb.Limits{})
	})
	return err
}

// spanOf is how long two queries take at best when nobody cancels.
func spanOf(t *testing.T, store *sqlitedb.Store) time.Duration {
	t.Helper()
	best := time.Hour
	for range 200 {
		start := time.Now()
		for range 2 {
			var tok cancel.Token
			if err := runTiny(cancel.NewContext(context.Background(), &tok), store); err != nil {
				t.Fatal(err)
			}
			tok.Close()
		}
		best = min(best, time.Since(start))
	}
	return best
}
