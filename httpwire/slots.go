package httpwire

import "sync"

// slots says whose an event is that names a descriptor. kqueue's events do: the
// word of ours that they could carry, udata, is a pointer in Go, and no place for
// a number that the garbage collector would take for an address.
//
// Descriptors are reused, so an event may be stale: fetched, and then its
// connection closed, its descriptor given to a new one, and that registered, all
// before the event is looked at. So fetches are counted:
//
//   - The registration in the slot was made before the fetch began. A descriptor
//     enters its slot while it is open and before it is added to the queue, and
//     what a queue knows of a descriptor ends with the descriptor's close. So from
//     the beginning of the fetch on, the queue could only have an event of this
//     registration, or of a later one, which would be in the slot: it is its own.
//   - It was made after that. The event is its own, or stale: nobody can tell. It is
//     thrown away, and the descriptor is registered anew, which makes kqueue look
//     at the connection as it is: its own event comes again, to the next fetch,
//     which the registration precedes. At most once, so it ends.
//
// A slot is not cleared: its token is nobody's once the connection is removed.
type slots struct {
	mu    sync.Mutex
	fetch uint64 // the number of the last fetch that has begun
	of    []slot // by descriptor
}

type slot struct{ token, since uint64 }

// begin is called before each fetch.
func (s *slots) begin() {
	s.mu.Lock()
	s.fetch++
	s.mu.Unlock()
}

// set is called before fd, which is open, is added to the queue.
func (s *slots) set(fd int, token uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := fd + 1 - len(s.of); n > 0 {
		s.of = append(s.of, make([]slot, n)...)
	}
	s.of[fd] = slot{token, s.fetch}
}

// owner returns the token that an event of the last fetch is for, 0 if it is
// nobody's; and whether that is sure, or the event may be stale.
func (s *slots) owner(fd int) (token uint64, sure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fd >= len(s.of) {
		return 0, false
	}
	return s.of[fd].token, s.of[fd].since < s.fetch
}
