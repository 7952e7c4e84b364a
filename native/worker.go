package native

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A worker is a goroutine that makes calls, one at a time, and is parked between
// them. It is not locked to a thread: a C call can't migrate, and a locked
// hand-off costs twenty times as much.
type worker struct {
	in   chan *Call // one place, so that a hand-off never waits; nil ends the worker
	pool *Pool

	mu  sync.Mutex
	cur *Call // the call that Close may cancel; nil in the default pool
}

// crew is the set of a pool's workers. Idle ones are kept last in, first out, so that the
// ones at the bottom are the longest idle and can be ended.
type crew struct {
	mu    sync.Mutex
	all   map[*worker]struct{}
	idle  []*worker
	low   int // fewest idle workers since the last trim
	timer *time.Timer
	shut  bool // the pool is closed: nobody is kept

	counts   Stats             // what is counted here
	finished [Abandoned]uint64 // by outcome, of calls that have returned

	cancelled atomic.Pointer[error] // the cause, once Close cancels what runs
}

// trimEvery is how long a worker may be idle, up to twice.
const trimEvery = 5 * time.Second

func (s *crew) get(p *Pool) *worker {
	s.mu.Lock()
	s.counts.Started++
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.low = min(s.low, n-1)
		s.mu.Unlock()
		return w
	}
	defer s.mu.Unlock()
	w := &worker{in: make(chan *Call, 1), pool: p}
	if s.all == nil {
		s.all = make(map[*worker]struct{})
	}
	s.all[w] = struct{}{}
	go w.loop()
	return w
}

// finish counts a call that is over and takes its worker back.
func (s *crew) finish(w *worker, o Outcome, callbacks int) {
	s.mu.Lock()
	s.count(o, callbacks)
	s.put(w)
	s.mu.Unlock()
}

// back takes the worker of a call back that has been counted.
func (s *crew) back(w *worker) {
	s.mu.Lock()
	s.put(w)
	s.mu.Unlock()
}

func (s *crew) count(o Outcome, callbacks int) {
	s.finished[o]++
	s.counts.Callbacks += uint64(callbacks)
}

func (s *crew) put(w *worker) {
	if s.shut {
		s.end(w)
		return
	}
	s.idle = append(s.idle, w)
	if s.timer == nil {
		s.timer = time.AfterFunc(trimEvery, s.trim)
	}
}

// trim ends the workers that nobody has needed since the last trim.
func (s *crew) trim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.idle[:s.low] {
		s.end(w)
	}
	n := copy(s.idle, s.idle[s.low:])
	clear(s.idle[n:])
	s.idle = s.idle[:n]
	s.low = n
	if n == 0 {
		s.timer = nil
		return
	}
	s.timer.Reset(trimEvery)
}

// end ends a worker that has no call.
func (s *crew) end(w *worker) {
	delete(s.all, w)
	w.in <- nil // its place is free: this never waits
}

// loop makes calls until w is ended. A function may end the goroutine by runtime.Goexit, even where a panic of
// its defers looks like the end of that to recover: then the worker goes on with another.
func (w *worker) loop() {
	ended := false
	defer func() {
		if !ended {
			go w.loop()
		}
	}()
	unlabel()
	for c := <-w.in; c != nil; c = <-w.in {
		w.serve(c)
		unlabel()
	}
	ended = true
}

// serve makes one call and tells its caller. Whatever fn does, panic or
// runtime.Goexit, ends up with the caller (N9).
func (w *worker) serve(c *Call) {
	w.show(c)
	returned, over := false, false
	defer func() {
		if over {
			return
		}
		if !returned {
			if v := recover(); v != nil {
				c.panic = cancel.Recovered(v)
			} else {
				c.goexit = true
			}
		}
		w.finish(c)
	}()
	if w.pool.Grace > 0 {
		c.AbandonAfter(w.pool.Grace)
	}
	c.job.run(c)
	returned = true
	over = w.finishBare(c)
}

// finishBare is finish of a call in the default pool that has not failed and has nothing beside its
// token, and reports whether it was one. No foreign code runs but the token's setter, which must not panic.
func (w *worker) finishBare(c *Call) bool {
	if w.pool != &standard || c.job.failed() {
		return false
	}
	o := c.decide(false)
	if !c.leaveBare() {
		return false
	}
	w.free(o, 0)
	c.events <- eventDone
	return true
}

// finish ends the call. Foreign code in it, a clean-up or a context's Deadline or stop function,
// may panic or exit as fn may: the caller is told, and the worker goes on.
func (w *worker) finish(c *Call) {
	o := Completed
	defer func() { w.done(c, o) }()
	asked, left := false, false
	defer func() {
		if asked && left {
			return
		}
		if v := recover(); v != nil {
			c.panic = first(c.panic, cancel.Recovered(v))
		} else {
			c.goexit = true
		}
	}()
	defer func() { // the context may panic or exit in ended: what runs is joined all the same
		c.panic = first(c.panic, c.leave())
		left = true
	}()
	o = c.ended()
	asked = true
}

// done gives back what the call has of its worker and pool, and tells its caller.
func (w *worker) done(c *Call, o Outcome) {
	if c.abandon.late {
		w.reclaim(c, o)
		return
	}
	w.free(o, c.started)
	c.events <- eventDone
}

// free gives the worker and its place back, before its caller runs again: the caller's next call
// finds them.
func (w *worker) free(o Outcome, callbacks int) {
	w.pool.crew.finish(w, o, callbacks)
	w.pool.release()
}

// reclaim ends an abandoned call. A panic is logged, and the writer of the log is foreign
// code too.
func (w *worker) reclaim(c *Call, o Outcome) {
	defer func() {
		w.pool.crew.back(w)
		w.pool.release()
	}()
	w.pool.reclaim(c, o)
}
