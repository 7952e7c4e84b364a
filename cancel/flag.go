package cancel

import (
	"time"
	"unsafe"
)

// A Flag is a word that C code can read to learn that it is cancelled. It
// belongs to a token and is valid until the token is closed and every borrow of
// it released. The zero Flag is never set and has a nil Pointer.
type Flag struct{ s *slot }

// Flag returns t's flag. Its memory is allocated on first use, outside the Go
// heap. The caller must be t's owner, before Close, or hold a borrow.
func (t *Token) Flag() (f Flag) {
	if f.s = t.slot.Load(); f.s == nil {
		f.s = t.newFlag()
	}
	return f
}

func (t *Token) newFlag() *slot {
	f, made := t.makeFlag()
	if made && t.setter != nil {
		t.setter.FlagMade(f)
	}
	return f.s
}

func (t *Token) makeFlag() (f Flag, made bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slot.Load() == nil {
		s := slots.get()
		if t.state.Load()&cancelled != 0 {
			s.set() // Cancel came before us and found no word to set
		}
		t.slot.Store(s)
		made = true
	}
	return Flag{t.slot.Load()}, made
}

// Pointer returns the address of the word, for C. It is aligned to 128 bytes,
// lies outside the Go heap, and the word there is 0, then 1 for good once the
// token is cancelled. C may read it as a 64-bit integer and, on little-endian
// machines, as a 32-bit one, with an atomic load of any order, or by a plain
// volatile load where that is atomic. C must not write it.
func (f Flag) Pointer() unsafe.Pointer {
	if f.s == nil {
		return nil
	}
	return unsafe.Pointer(&f.s.word)
}

// IsSet reports whether the word is set.
func (f Flag) IsSet() bool { return f.s != nil && f.s.word.Load() != 0 }

// FlagSetAt returns when t's flag was set: inside Cancel, or by the Flag that made it
// later. It is zero if t has no flag or that is not set. Like Flag, it is for t's owner, before
// Close, and for who holds a borrow.
func (t *Token) FlagSetAt() time.Time {
	if t.setter != nil {
		t.ahead() // it has the time when it has let go of the word
	}
	t.mu.Lock() // a word that is set has its time when Cancel unlocks
	defer t.mu.Unlock()
	s := t.slot.Load()
	if s == nil || s.word.Load() == 0 {
		return time.Time{}
	}
	return clockStart.when(s.setAt.Load())
}

// SetDeadline writes t next to the word, for C code that honours deadlines by
// itself (hangup_expired of native/hangup.h): as nanoseconds of CLOCK_MONOTONIC,
// clock_gettime(2). The zero time is no deadline, as before the first call. It is
// for t's owner, cancels nothing, and does nothing on systems other than Linux.
func (f Flag) SetDeadline(t time.Time) {
	if f.s == nil {
		return
	}
	var ns int64
	if !t.IsZero() {
		ns = monotonic(t)
	}
	if f.s.deadline.Load() != ns { // C polls this line: write to it rarely
		f.s.deadline.Store(ns)
	}
}

// Late reports whether the deadline beside t's flag has passed, as C sees it: false where nobody
// has asked for the flag. Like Flag, it is for t's owner, before Close, and for who holds a borrow.
func (t *Token) Late() bool {
	s := t.slot.Load()
	if s == nil {
		return false
	}
	d := s.deadline.Load()
	return d != 0 && clockStart.now() >= d
}

// EventFD returns a file descriptor that is readable, level-triggered, once t is
// cancelled: for code that waits in poll, select or epoll (eventfd(2)). It is
// made on first use and belongs to t like the flag's memory: valid as long as
// that is, not to be read, written or closed by the caller. Where there is no
// eventfd the error matches [errors.ErrUnsupported].
func (t *Token) EventFD() (int, error) {
	f := t.Flag()
	t.mu.Lock() // orders the descriptor against Cancel's set
	defer t.mu.Unlock()
	return f.s.openEventFD()
}

// FlagsInUse returns how many flags of this process are allocated and not yet
// recycled: a figure for tests and for a gauge.
func FlagsInUse() int { return slots.inUse() }
