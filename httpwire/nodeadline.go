package httpwire

import (
	"sync/atomic"
	"time"
)

// noDeadline knows of one direction of a connection that it has no deadline. net/http takes deadlines
// away six times a request of a connection that is kept alive, five of them where there is none: to find that
// out here costs less than the poller's locks, and pays for a third of what else we do for a request.
//
// Its word is version<<26 | setting<<2 | shared | none. Whoever changes the deadline begins with a new version
// and takes none away; setting counts those who are setting one, and have not returned. Who has taken
// one away ends by a CAS of its own version to none, if that shows nobody who sets: it fails if
// somebody has begun since. So where none is, nobody has set a deadline since it was last taken away,
// nor is about to. (With a reader ahead, the connection below may have one for a moment: see ahead.)
type noDeadline struct{ word atomic.Uint64 }

const (
	deadlineNone   uint64 = 1 << iota
	deadlineShared        // others have the connection below, and may set its deadlines: none is never there
	deadlineSetting
	deadlineVersion = deadlineSetting << 24

	deadlineUnsure = deadlineVersion - 1 // all but the version
)

func (d *noDeadline) known() bool { return d.word.Load()&deadlineNone != 0 }

func (d *noDeadline) begin(t time.Time) (version uint64) {
	add := deadlineVersion
	if !t.IsZero() {
		add += deadlineSetting
	}
	for {
		w := d.word.Load()
		version = w&^deadlineNone + add
		if d.word.CompareAndSwap(w, version) {
			return version
		}
	}
}

// end is told of the version's deadline, and whether it was set.
func (d *noDeadline) end(version uint64, t time.Time, err error) {
	switch {
	case !t.IsZero():
		d.word.Add(^(deadlineSetting - 1)) // minus deadlineSetting
	case err == nil && version&deadlineUnsure == 0:
		d.word.CompareAndSwap(version, version|deadlineNone)
	}
}

// share says that others may set deadlines from now on.
func (d *noDeadline) share() {
	for {
		w := d.word.Load()
		if d.word.CompareAndSwap(w, w&^deadlineNone|deadlineShared) {
			return
		}
	}
}
