package httpwire

import "sync"

// blocks is a queue of bytes in blocks of one size: what it holds costs that much
// memory and less than two blocks more, however small the pieces are that come,
// and nothing when it is empty and nobody is about to put. The caller locks it;
// only what space has returned is written to without the lock.
type blocks struct {
	head, tail *block
	held       int // bytes
}

type block struct {
	next *block
	r, w int // b[r:w] is held
	b    [blockSize]byte
}

const blockSize = 16 << 10 // a TLS record

var blockPool = sync.Pool{New: func() any { return new(block) }}

// space returns where the next bytes go, at least one and as many as fit into
// limit, of which less must be held. They are put into the queue by put.
func (q *blocks) space(limit int) []byte {
	if t := q.tail; t != nil && t.r == t.w {
		t.r, t.w = 0, 0
	}
	if q.tail == nil || q.tail.w == blockSize {
		q.push(blockPool.Get().(*block))
	}
	free := q.tail.b[q.tail.w:]
	return free[:min(len(free), limit-q.held)]
}

func (q *blocks) push(b *block) {
	if q.tail == nil {
		q.head = b
	} else {
		q.tail.next = b
	}
	q.tail = b
}

// put takes in the first n bytes of what space returned last.
func (q *blocks) put(n int) {
	q.tail.w += n
	q.held += n
}

// take moves bytes to p. Blocks that it empties are free, except the last one:
// space may have been given out in it.
func (q *blocks) take(p []byte) (n int) {
	for n < len(p) && q.held > 0 {
		b := q.head
		m := copy(p[n:], b.b[b.r:b.w])
		b.r, n, q.held = b.r+m, n+m, q.held-m
		if b.r == b.w && b != q.tail {
			q.pop()
		}
	}
	return n
}

// release frees all blocks, and what they hold. No space may be given out.
func (q *blocks) release() {
	for q.head != nil {
		q.pop()
	}
	q.held = 0
}

func (q *blocks) pop() {
	b := q.head
	q.head = b.next
	if q.head == nil {
		q.tail = nil
	}
	b.next, b.r, b.w = nil, 0, 0
	blockPool.Put(b)
}
