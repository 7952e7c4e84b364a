package cancel

import (
	"sync"
	"sync/atomic"
)

// A node is one registered callback. All fields but gen are guarded by the
// mutex of the token that owns the node.
type node struct {
	gen  atomic.Uint64 // advanced when recycled, see invariant 3
	on   *list         // the list the node is on
	prev *node
	next *node

	f       func(error)   // nil if the node is free
	child   *Token        // a link's: cancelled by Cancel itself, f is not called
	first   bool          // of a first callback, see first.go
	handoff *node         // chain of nodes that Cancel is about to start
	goid    uint64        // of the goroutine that runs f, once it does
	ended   chan struct{} // made by the first goroutine that waits for f
	panic   *PanicError
}

var nodes = sync.Pool{New: func() any { return new(node) }}

// newNode returns a node for f: the one inside the token if it is free, as most
// tokens have one callback at a time.
func (t *Token) newNode(f func(error)) *node {
	n := &t.inline
	if n.f != nil {
		n = nodes.Get().(*node)
	}
	n.f = f
	return n
}

// recycleNode forgets the callback and frees its node. n is on no list; every Registration for it goes
// stale.
func (t *Token) recycleNode(n *node) {
	n.f, n.child, n.first, n.handoff, n.goid, n.panic = nil, nil, false, nil, 0, nil
	n.gen.Add(1)
	if n != &t.inline {
		nodes.Put(n)
	}
}

// A list is a doubly linked list of nodes, newest first.
type list struct{ head *node }

func (l *list) push(n *node) {
	n.on, n.prev, n.next = l, nil, l.head
	if l.head != nil {
		l.head.prev = n
	}
	l.head = n
}

func (l *list) remove(n *node) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		l.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	n.on, n.prev, n.next = nil, nil, nil
}

// takeAll moves every node of from to l and returns them as a chain through
// handoff, oldest first.
func (l *list) takeAll(from *list) (first *node) {
	for n := from.head; n != nil; n = from.head {
		from.remove(n)
		l.push(n)
		n.handoff, first = first, n
	}
	return first
}

func (t *Token) recycleAll(l *list) {
	for n := l.head; n != nil; n = l.head {
		l.remove(n)
		t.recycleNode(n)
	}
}
