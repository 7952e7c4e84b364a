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

	// Written by the worker alone, read by ReadStats.
	started   atomic.Uint64
	finished  [Abandoned]atomic.Uint64 // by outcome, of those that return
	callbacks atomic.Uint64
}

// crew is the set of a pool's workers. Idle ones are kept last in, first out, so that the
// ones at the bottom are the longest idle and can be ended.
type crew struct {
	mu    sync.Mutex
	all   map[*worker]struct{}
	idle  []*worker
	low   int   // fewest idle workers since the last trim
	ended Stats // of workers that are no more
	timer *time.Timer
	shut  bool // the pool is closed: nobody is kept

	cancelled atomic.Pointer[error] // the cause, once Close cancels what runs
}

// trimEvery is how long a worker may be idle, up to twice.
const trimEvery = 5 * time.Second

func (s *crew) get(p *Pool) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		w := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.low = min(s.low, n-1)
		return w
	}
	w := &worker{in: make(chan *Call, 1), pool: p}
	if s.all == nil {
		s.all = make(map[*worker]struct{})
	}
	s.all[w] = struct{}{}
	go w.loop()
	return w
}

func (s *crew) put(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.ended.add(w)
	delete(s.all, w)
	w.in <- nil // its place is free: this never waits
}

func (w *worker) loop() {
	unlabel()
	for c := <-w.in; c != nil; c = <-w.in {
		w.serve(c)
		unlabel()
	}
}

// serve makes one call and tells its caller. Whatever fn does, panic or
// runtime.Goexit, ends up with the caller (N9).
func (w *worker) serve(c *Call) {
	w.started.Add(1)
	w.show(c)
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				c.panic = cancel.Recovered(v)
			} else {
				c.goexit = true
				go w.loop() // this goroutine ends; the worker goes on
			}
		}
		w.finish(c)
	}()
	if w.pool.Grace > 0 {
		c.AbandonAfter(w.pool.Grace)
	}
	c.job.run(c)
	returned = true
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
		} else if !c.goexit { // else serve has done so
			c.goexit = true
			go w.loop()
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
	w.finished[o].Add(1)
	if c.started > 0 {
		w.callbacks.Add(uint64(c.started))
	}
	if c.abandon.late {
		w.reclaim(c)
		return
	}
	// The worker and its place are free before its caller runs again: the
	// caller's next call finds them.
	w.free()
	c.events <- eventDone
}

func (w *worker) free() {
	w.pool.crew.put(w)
	w.pool.release()
}

// reclaim ends an abandoned call. A panic is logged, and the writer of the log is foreign
// code too.
func (w *worker) reclaim(c *Call) {
	exits, exited := true, c.goexit
	defer func() {
		if exits && !exited {
			go w.loop()
		}
		w.free()
	}()
	w.pool.reclaim(c)
	exits = false
}
