package httpwire

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// An entry is what the thread that sets flags, in C, knows of one connection. It is
// in C's memory, which is never freed; setter_linux.h has the same layout.
//
// state is generation<<32 and these bits:
//
//	arm       0 -> armed              Go; flag is stored before. Not once seen is set
//	withdraw  armed -> 0              Go
//	claim     armed -> fired|seen|busy  C: the connection has ended; then the flag is set
//	          0 -> seen               C: nothing was armed. arm says so
//	release   fired|seen|busy -> fired|seen  C: the flag's memory is not used any more
//	retire    any but busy -> 0 of the next generation  Go
//
// Arm and retire are the connection's, under tcp.mu. Claim and withdraw meet in one
// word: either the flag is taken back and will not be set, or it has been claimed,
// and withdraw waits for the release. An event carries index and generation: for a connection that
// is no more, claim's swap fails.
type entry struct {
	state  atomic.Uint64
	flag   atomic.Uintptr // Flag.Pointer, the token's memory, off the heap
	stamp  atomic.Int64   // CLOCK_MONOTONIC, nanoseconds: when it was set
	events atomic.Uint32
	index  uint32
	_      [32]byte
}

var _ [64]byte = [unsafe.Sizeof(entry{})]byte{}

const (
	entryArmed uint64 = 1 << iota
	entryFired
	entrySeen
	entryBusy
	entryWaiting

	generation uint64 = 1 << 32
)

// arm lends flag to the thread. It returns false if the thread has seen the
// connection end before. Nothing is armed.
func (e *entry) arm(flag unsafe.Pointer) bool {
	s := e.state.Load()
	if s&entrySeen != 0 {
		return false // and flag's old value may be in use
	}
	e.flag.Store(uintptr(flag))
	// Only a claim can come between; it finds nothing armed, and sets seen.
	return e.state.CompareAndSwap(s, s|entryArmed)
}

// withdraw takes back what was armed, and reports whether the thread has set it;
// then it is done with it.
func (e *entry) withdraw() (fired bool) {
	for {
		s := e.state.Load()
		switch {
		case s&entryArmed != 0:
			if e.state.CompareAndSwap(s, s&^entryArmed) {
				return false
			}
		case s&entryBusy != 0:
			if s&entryWaiting != 0 || e.state.CompareAndSwap(s, s|entryWaiting) {
				e.wait(uint32(s | entryWaiting))
			}
		default:
			return s&entryFired != 0
		}
	}
}

func (e *entry) fired() bool { return e.state.Load()&entryFired != 0 }

// retire makes e ready for another connection. Nothing is armed or busy.
func (e *entry) retire() {
	e.state.Store((e.state.Load()/generation + 1) * generation)
}

// data is what events carry.
func (e *entry) data() uint64 { return e.state.Load()/generation*generation | uint64(e.index) }

// entries are all there are: those in use, and the free ones.
var entries struct {
	sync.Mutex
	made uint32
	free []*entry
}

// takeEntry returns an entry that is nobody's, nil if there is no memory.
func takeEntry() *entry {
	entries.Lock()
	defer entries.Unlock()
	if n := len(entries.free); n > 0 {
		e := entries.free[n-1]
		entries.free = entries.free[:n-1]
		return e
	}
	e := newEntry(entries.made)
	if e != nil {
		e.index = entries.made
		e.retire() // generation 0 is nobody's
		entries.made++
	}
	return e
}

// giveEntry takes back an entry whose connection is not registered any more.
func giveEntry(e *entry) {
	e.retire()
	entries.Lock()
	defer entries.Unlock()
	entries.free = append(entries.free, e)
}
