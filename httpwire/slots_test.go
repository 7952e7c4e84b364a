package httpwire_test

import (
	"math/rand/v2"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// An event of a registration that was there before the fetch is its own.
func TestSlots_ownEvent(t *testing.T) {
	var s httpwire.Slots
	s.Set(7, 1)
	s.Begin()
	if token, sure := s.Owner(7); token != 1 || !sure {
		t.Errorf("owner is %d, sure: %v", token, sure)
	}
	for _, fd := range []int{6, 8} {
		if token, _ := s.Owner(fd); token != 0 {
			t.Errorf("descriptor %d is token %d's", fd, token)
		}
	}
}

// An event that may have been fetched before the registration is in doubt, until
// the next fetch.
func TestSlots_staleEvent(t *testing.T) {
	var s httpwire.Slots
	s.Set(7, 1)
	s.Begin()   // an event of 1 is fetched here
	s.Set(7, 2) // 1 was closed, its descriptor reused
	if token, sure := s.Owner(7); token != 2 || sure {
		t.Errorf("owner is %d, sure: %v", token, sure)
	}
	s.Begin()
	if token, sure := s.Owner(7); token != 2 || !sure {
		t.Errorf("after the next fetch owner is %d, sure: %v", token, sure)
	}
}

// A kernel is a kqueue as its manual describes it, over connections that take the
// lowest free descriptor.
type kernel struct {
	conns []*connection       // by descriptor, nil if free
	queue map[int]*connection // what is reported with the next fetch
}

type connection struct {
	fd, token          int
	added, ended, told bool
}

func (k *kernel) add(c *connection) {
	c.added = true
	if c.ended {
		k.queue[c.fd] = c
	}
}

func (k *kernel) end(c *connection) {
	c.ended = true
	if c.added {
		k.queue[c.fd] = c
	}
}

func (k *kernel) close(c *connection) {
	delete(k.queue, c.fd)
	k.conns[c.fd] = nil
}

// Under any interleaving of accept, register, leave, close, fetch and dispatch: no
// connection is told of another's end, and each that ends while it is open is told.
func TestSlots_anyInterleaving(t *testing.T) {
	const fds, steps = 4, 200_000
	var s httpwire.Slots
	k := &kernel{conns: make([]*connection, fds), queue: map[int]*connection{}}
	byToken := map[int]*connection{}
	tokens, doubts, told := 0, 0, 0
	var fetched []int
	dispatch := func() {
		fd := fetched[0]
		fetched = fetched[1:]
		token, sure := s.Owner(fd)
		c := byToken[int(token)]
		switch {
		case c == nil: // removed
		case !sure:
			doubts++
			if k.conns[fd] == c { // Control finds it open
				k.add(c)
			}
		case !c.ended:
			t.Fatalf("token %d is told of another's end", token)
		default:
			c.told = true
			told++
		}
	}
	fetch := func() {
		s.Begin()
		for fd := range k.queue {
			fetched = append(fetched, fd)
		}
		clear(k.queue)
	}
	for range steps {
		fd := rand.IntN(fds)
		c := k.conns[fd]
		switch op := rand.IntN(5); {
		case op == 0 && c == nil:
			tokens++
			c = &connection{fd: fd, token: tokens}
			k.conns[fd], byToken[c.token] = c, c
		case op == 1 && c != nil && !c.added:
			s.Set(fd, uint64(c.token))
			k.add(c)
		case op == 2 && c != nil:
			k.end(c)
		case op == 3 && c != nil:
			if rand.IntN(2) == 0 { // a bare connection is removed later, or never
				delete(byToken, c.token)
			}
			k.close(c)
		case op == 4 && len(fetched) > 0:
			dispatch()
		case op == 4:
			fetch()
		}
	}
	for range 3 { // what is left; one that was in doubt comes with the next fetch
		for len(fetched) > 0 {
			dispatch()
		}
		fetch()
	}
	for _, c := range k.conns {
		if c != nil && c.added && c.ended && !c.told {
			t.Errorf("token %d has ended and is not told", c.token)
		}
	}
	if doubts == 0 || told == 0 {
		t.Errorf("%d events in doubt, %d told: nothing was tested", doubts, told)
	}
}
