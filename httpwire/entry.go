package httpwire

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// An entry is what the thread that sets flags, in C, knows of one connection, or of one request
// of an HTTP/2 connection. It is in C's memory, which is never freed; setter_linux.h has the same layout.
//
// Requests' entries are chained to the connection's, which events name and the thread walks from. A
// chain has one generation, which is no other's. It grows while the connection lasts.
//
// state is generation<<32 and these bits:
//
//	arm       0 -> armed              Go; flag is stored before. Not once seen is set
//	withdraw  armed -> 0              Go
//	claim     armed -> fired|seen|busy  C: the connection has ended; then the flag is set
//	          0 -> seen               C: nothing was armed. arm says so
//	release   fired|seen|busy -> fired|seen  C: the flag's memory is not used any more
//	retire    any but busy -> 0, generation 0, which is nobody's  Go
//
// Arm and retire are the connection's, under tcp.mu. Claim and withdraw meet in one
// word: either the flag is taken back and will not be set, or it has been claimed,
// and withdraw waits for the release. An event carries index and generation: for a connection that
// is no more, claim's swap fails, and so it does in the middle of a walk.
//
// An entry may be chained where the thread has just passed. The thread claims the first entry before it
// looks for the next; lend chains, arms, and then looks whether the first one was seen.
type entry struct {
	state  atomic.Uint64
	flag   atomic.Uintptr // Flag.Pointer, the token's memory, off the heap
	stamp  atomic.Int64   // CLOCK_MONOTONIC, nanoseconds: when it was set
	events atomic.Uint32
	index  uint32
	next   atomic.Uint32 // of the chain: index + 1, 0: none
	_      [28]byte
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
func (e *entry) seen() bool  { return e.state.Load()&entrySeen != 0 }

// data is what events carry.
func (e *entry) data() uint64 { return e.state.Load()/generation*generation | uint64(e.index) }

// entries are all there are: those in use, and the free ones.
var entries struct {
	sync.Mutex
	made       []*entry // by index
	free       []*entry
	generation uint32 // last given out. Not 0
}

// takeEntry returns an entry that is nobody's, nil if there is no memory: of of's generation, if that
// is not 0, or of a new one.
func takeEntry(of uint64) *entry {
	entries.Lock()
	defer entries.Unlock()
	var e *entry
	if n := len(entries.free); n > 0 {
		e = entries.free[n-1]
		entries.free = entries.free[:n-1]
	} else if e = newEntry(uint32(len(entries.made))); e != nil {
		e.index = uint32(len(entries.made))
		entries.made = append(entries.made, e)
	} else {
		return nil
	}
	if of == 0 {
		if entries.generation++; entries.generation == 0 {
			entries.generation = 1
		}
		of = uint64(entries.generation) * generation
	}
	e.state.Store(of / generation * generation)
	return e
}

// giveEntry takes back the entries of a chain, whose connection is not registered any more. Nothing of
// it is armed or busy.
func giveEntry(first *entry) {
	entries.Lock()
	defer entries.Unlock()
	for e := first; e != nil; {
		next := e.next.Load()
		e.state.Store(0) // before next: a walk that comes to another chain ends there
		e.next.Store(0)
		entries.free = append(entries.free, e)
		if e = nil; next != 0 {
			e = entries.made[next-1]
		}
	}
}
