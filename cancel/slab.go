package cancel

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A slot is the C-visible memory of one token: two pairs of cache lines (pairs,
// because processors prefetch lines two by two). The first is written only when
// a token is cancelled or its slot handed out, so a C loop that polls it keeps
// it in its cache. The second is for what changes during a call.
type slot struct {
	word     atomic.Uint64 // 0 or 1; C polls it; its low half is the futex word
	eventfd  atomic.Int32  // descriptor + 1, 0 none; kept for the slot's next owner
	_        int32
	deadline atomic.Int64 // CLOCK_MONOTONIC in nanoseconds, 0 none
	setAt    atomic.Int64 // likewise, when word was set: by whoever set it, soon after; 0 if it is not
	_        [96]byte

	waiters atomic.Uint32 // C threads asleep on word's low half
	_       [124]byte
}

// native/hangup.h and httpwire/setter_linux.h have the same layout.
var (
	_ [8]byte   = [unsafe.Offsetof(slot{}.eventfd)]byte{}
	_ [16]byte  = [unsafe.Offsetof(slot{}.deadline)]byte{}
	_ [24]byte  = [unsafe.Offsetof(slot{}.setAt)]byte{}
	_ [128]byte = [unsafe.Offsetof(slot{}.waiters)]byte{}
)

// set makes the word 1 and wakes who sleeps on it. The token's mutex is held. The clock is
// read after the store: nobody who polls waits for that.
func (s *slot) set() {
	s.word.Store(1)
	s.setAt.CompareAndSwap(0, clockStart.now()) // else a FlagSetter has set it
	s.wake()
}

// A clockPair is one moment on Go's clock, with its monotonic reading, and on C's, CLOCK_MONOTONIC.
type clockPair struct {
	time time.Time
	ns   int64
}

func (p clockPair) now() int64              { return p.ns + int64(time.Since(p.time)) }
func (p clockPair) when(ns int64) time.Time { return p.time.Add(time.Duration(ns - p.ns)) }

const (
	slotSize  = 256
	chunkSize = 256 * slotSize
)

var _ [slotSize]byte = [unsafe.Sizeof(slot{})]byte{}

// A slab hands out slots of memory mapped outside the Go heap. It grows by
// chunks and is never unmapped, so that a stale reader can never fault. A
// sync.Pool would lose slots at every collection.
type slab struct {
	mu    sync.Mutex
	free  []*slot
	total int
}

var slots slab

func (b *slab) get() *slot {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) == 0 {
		b.grow()
	}
	s := b.free[len(b.free)-1]
	b.free = b.free[:len(b.free)-1]
	return s
}

// put takes back a slot that no call and no canceller can reach any more.
func (b *slab) put(s *slot) {
	s.reset()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, s)
}

func (s *slot) reset() {
	if s.word.Load() != 0 {
		s.drainEventFD()
		s.word.Store(0)
		s.setAt.Store(0)
	}
	s.deadline.Store(0)
}

func (b *slab) grow() {
	chunk := mapMemory(chunkSize)
	for off := uintptr(0); off < chunkSize; off += slotSize {
		b.free = append(b.free, (*slot)(unsafe.Add(chunk, off)))
	}
	b.total += chunkSize / slotSize
}

func (b *slab) inUse() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total - len(b.free)
}
