package native

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Admission of a pool: a place costs one atomic add to take and one to give back
// while nobody waits.
//
// load counts the calls that have a place and those that wait for one. By that
// count, running is min(load, size), and who came beyond that waits:
//
//	acquire  load+1  <= size: has a place            > size: waits
//	release  load-1  <  size: a place is free again  >= size: it is somebody's who waits
//	leave    load-1  <  size: the leaver had been    >= size: it had not
//	                          given a place by count
//
// A place that changes hands meets its new owner under mu. Either may be late:
// a releaser that finds nobody in line leaves a credit, which the waiter on its
// way to the line takes; a waiter that leaves though a releaser is on its way to it
// leaves a debt (a credit of -1), which that releaser pays. While the pool is
// closed, load has a high bit, so that everybody comes by mu.
type admission struct {
	load atomic.Int64

	mu       sync.Mutex
	line     list.List // of *waiter, first come first
	credit   int
	expelled bool          // Close has given up on waiters
	drained  chan struct{} // made by Close; closed when load is none

	waited, left, rejected uint64
	waitSum, waitMax       time.Duration
}

const shutBit = 1 << 40

type waiter struct {
	place *list.Element // in line
	ready chan struct{} // closed with end set, under mu
	end   waiterEnd
}

type waiterEnd int

const (
	gaveUp waiterEnd = iota // unless somebody sets another
	granted
	expelled
)

// acquire takes a place in p, waiting for it in line. If ctx ends first, the
// error is that of a call that was not made (N1).
func (p *Pool) acquire(ctx context.Context) error {
	n := p.load.Add(1)
	if n <= p.size() {
		return nil
	}
	if n >= shutBit {
		p.turnAway(n)
		return p.closedError()
	}
	done, err := p.look(ctx)
	if err != nil {
		return err
	}
	w, err := p.lineUp()
	if w == nil {
		return err
	}
	return p.await(ctx, done, w)
}

// look asks ctx, before it is in line, for all that waiting takes: a foreign context
// may panic, and must not keep its place then.
func (p *Pool) look(ctx context.Context) (done <-chan struct{}, err error) {
	stays := false
	defer func() {
		if !stays {
			p.leave()
		}
	}()
	if ctx.Err() != nil {
		return nil, notStarted(ctx)
	}
	done = ctx.Done()
	stays = true
	return done, nil
}

// turnAway undoes the acquire that brought load to n, as p is closed.
func (p *Pool) turnAway(n int64) {
	p.mu.Lock()
	p.rejected++
	p.mu.Unlock()
	if n-shutBit <= p.size() {
		p.release()
	} else {
		p.leave()
	}
}

// lineUp joins the line. It returns nil, nil if a place was waiting already.
func (p *Pool) lineUp() (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.credit > 0: // a releaser was here before us
		p.credit--
		return nil, nil
	case p.expelled:
		p.rejected++
		p.leaveLocked()
		return nil, p.closedError()
	case p.Queue != 0 && p.line.Len() >= max(p.Queue, 0):
		p.rejected++
		queued := p.line.Len()
		p.leaveLocked()
		return nil, fmt.Errorf("%w: %s: %d running, %d queued", ErrPoolFull, p.title(), p.size(), queued)
	}
	w := &waiter{ready: make(chan struct{})}
	w.place = p.line.PushBack(w)
	return w, nil
}

func (p *Pool) await(ctx context.Context, done <-chan struct{}, w *waiter) error {
	start := time.Now()
	select {
	case <-w.ready:
	case <-done:
	}
	switch p.awaited(w, time.Since(start)) {
	case granted: // perhaps as ctx ended: enter looks, and gives the place back
		return nil
	case expelled:
		return p.closedError()
	}
	return notStarted(ctx) // foreign code, with no lock held
}

// awaited says why w waits no more. One that has not been given a place leaves the line.
func (p *Pool) awaited(w *waiter, wait time.Duration) waiterEnd {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited++
	p.waitSum += wait
	p.waitMax = max(p.waitMax, wait)
	if w.end == gaveUp {
		p.line.Remove(w.place)
		p.left++
		p.leaveLocked()
	}
	return w.end
}

// leave undoes an acquire that had to wait.
func (p *Pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked()
}

func (p *Pool) leaveLocked() {
	n := p.load.Add(-1)
	if n&^shutBit < p.size() {
		p.credit-- // by count we had a place: its releaser is here or on its way
	}
	p.drainedLocked(n)
}

// release gives a place back, to the first in line if anybody waits.
func (p *Pool) release() {
	if n := p.load.Add(-1); n >= p.size() {
		p.handOver(n)
	}
}

func (p *Pool) handOver(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drainedLocked(n)
	if n&^shutBit < p.size() {
		return // closed, and nobody waits
	}
	first := p.line.Front()
	if p.credit < 0 || first == nil {
		p.credit++
		return
	}
	w := p.line.Remove(first).(*waiter)
	w.end = granted
	close(w.ready)
}

func (p *Pool) drainedLocked(n int64) {
	if n != shutBit {
		return
	}
	select {
	case <-p.drained: // a call that was turned away came and went
	default:
		close(p.drained)
	}
}

// notStarted is the error of a call that was not made, as ctx is done.
func notStarted(ctx context.Context) error {
	return &Error{Cause: context.Cause(ctx), ctxErr: ctx.Err()}
}

var (
	// ErrPoolFull is matched by the error of a call that found all places of its
	// pool taken and its queue full. The error's text has the figures.
	// httpwire.Status makes a 503 of it and of the next.
	ErrPoolFull error = &unavailableError{"native: pool full"}

	// ErrPoolClosed is matched by the error of a call that came after
	// [Pool.Close], and by the cause of one that Close has cancelled.
	ErrPoolClosed error = &unavailableError{"native: pool closed"}
)

func (p *Pool) closedError() error { return fmt.Errorf("%w: %s", ErrPoolClosed, p.title()) }

func (p *Pool) title() string {
	switch {
	case p == &standard:
		return "the default pool"
	case p.Name == "":
		return "a pool without a name"
	}
	return fmt.Sprintf("%q", p.Name)
}
