package nativetest

import (
	"context"
	"testing"
	"time"
)

// A Binding is what [TestInterrupter] tests: a way to call a native library under a
// context. H is the handle that calls share: a connection, a model, a solver.
type Binding[H any] struct {
	// New makes a handle.
	New func() (H, error)

	// Run makes a call on h that only a cancel ends, or that takes much longer than
	// Grace by itself, in the way the program does: by the function that calls native.Do. It returns
	// that call's error.
	Run func(ctx context.Context, h H) error

	// Check makes a short call on h that nobody cancels as a rule, and returns its error, or
	// one that says what is wrong with the answer. It is made between the
	// others, to see that they left nothing behind.
	Check func(ctx context.Context, h H) error

	// Close closes h, once. It is called beside a Run too, and has to wait for it or to
	// leave the freeing to it: native.Handle does either. If nil, nothing
	// is closed.
	Close func(h H) error

	// Inside reports whether h's Run is inside the library, where a cancel finds it: false before and
	// after. If nil, the calls to be cancelled in the middle are given some
	// milliseconds to get there.
	Inside func(h H) bool

	// Grace is how long a cancelled call may take to return; if zero, ten seconds. It
	// is a bound and not an aim: the log says how long the slowest took.
	Grace time.Duration

	// Rounds is how often each moment is tried; if zero, 100, or 10 with -test.short. More find races
	// that are rarer. What takes long is tried less often.
	Rounds int
}

// TestInterrupter cancels calls of b: before they start, as they enter the library, in the
// middle, twice, as they return, after that, and while their handle is being closed; under a request's context of
// httpwire's and under one of the standard library. Each time the call has to
// return within b.Grace, with an error that matches the context's cause, and the next call on
// the same handle has to be as if nothing had been.
//
// A *testing.T gets a subtest for each moment. Where a call does not return, the rest
// is left out, as it still uses its handle: both are left behind. Run the test under the race detector too, and C with a sanitizer
// (go test -asan): what is freed too early often looks alright.
//
// It passes a binding that has no use for package native as well.
func TestInterrupter[H any](t testing.TB, b Binding[H]) {
	t.Helper()
	if b.New == nil || b.Run == nil || b.Check == nil {
		t.Fatal("nativetest: a Binding needs New, Run and Check")
	}
	(&suite[H]{Binding: b}).test(t)
}

func (s *suite[H]) test(t testing.TB) {
	t.Helper()
	if s.Grace <= 0 {
		s.Grace = 10 * time.Second
	}
	if s.Rounds <= 0 {
		s.Rounds = 100
		if testing.Short() {
			s.Rounds = 10
		}
	}
	for _, m := range s.moments() {
		sub(t, m.name, func(t testing.TB) { s.try(t, m) })
		if s.stuck || s.useless {
			return
		}
	}
}

func sub(t testing.TB, name string, f func(testing.TB)) {
	if r, ok := t.(*testing.T); ok {
		r.Run(name, func(t *testing.T) { f(t) })
		return
	}
	f(t)
}

// A moment is a time to cancel at.
type moment[H any] struct {
	name string
	try  func(under origin, h H) error
}

// moments are in an order in which each failure means one thing: a call that stops when it is
// cancelled in the middle, and not when it is cancelled on its way there, has
// lost a cancel.
func (s *suite[H]) moments() []moment[H] {
	all := []moment[H]{
		{"not cancelled", s.never},
		{"before start", s.beforeStart},
		{"in the middle", s.inTheMiddle},
		{"at entry", s.atEntry},
		{"twice", s.twice},
		{"at the return", s.atTheReturn},
		{"after the return", s.afterTheReturn},
	}
	if s.Close != nil {
		all = append(all, moment[H]{"beside Close", s.besideClose})
	}
	return all
}

// try tries one moment, under each context on a handle of its own.
func (s *suite[H]) try(t testing.TB, m moment[H]) {
	t.Helper()
	for _, under := range origins {
		s.calls, s.slowest, s.closed = 0, 0, false
		h, err := s.New()
		if err != nil {
			t.Errorf("New: %v", err)
			return
		}
		err = m.try(under, h)
		if !s.closed && !s.stuck {
			if closing := s.close(h); err == nil {
				err = closing
			}
		}
		if err != nil {
			t.Errorf("%s, %s: %v", m.name, under.name, err)
			return
		}
		if s.slowest > 0 {
			t.Logf("%s, %s: %d calls cancelled, the slowest returned after %v", m.name, under.name, s.calls, s.slowest)
		}
	}
}
