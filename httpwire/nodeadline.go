package httpwire

import (
	"sync/atomic"
	"time"
)

// noDeadline knows of one direction of a connection that it has no deadline. net/http takes a deadline
// away four times a request, mostly where there is none: to find that out here costs less than the poller's
// locks, and pays for a third of what else we do for a request.
//
// Its word is version<<2 | shared | none. Who sets a deadline, or takes one away, begins with a new version,
// and ends:
//
//	taken away  by a CAS of its own version to none: it fails if somebody has begun since
//	set         none is taken away, whoever it is from
//
// So none is there only if no deadline is, or if one is being set by somebody who has not returned
// yet: which is then as if it came later.
type noDeadline struct{ word atomic.Uint64 }

const (
	deadlineNone   uint64 = 1 << iota
	deadlineShared        // others have the connection below, and may set its deadlines: none is never there
	deadlineVersion
)

func (d *noDeadline) known() bool { return d.word.Load()&deadlineNone != 0 }

func (d *noDeadline) begin() (version uint64) { return d.word.Add(deadlineVersion) }

// end is told of the version's deadline, and whether it was set.
func (d *noDeadline) end(version uint64, t time.Time, err error) {
	if err != nil || !t.IsZero() {
		d.forget(0)
	} else if version&deadlineShared == 0 {
		d.word.CompareAndSwap(version, version|deadlineNone)
	}
}

// share says that others may set deadlines from now on.
func (d *noDeadline) share() { d.forget(deadlineShared) }

// forget takes none away, and adds what is new.
func (d *noDeadline) forget(add uint64) {
	for {
		w := d.word.Load()
		n := w&^deadlineNone | add
		if w == n || d.word.CompareAndSwap(w, n) {
			return
		}
	}
}
