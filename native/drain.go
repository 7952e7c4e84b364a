package native

import (
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// lastGrace is how long Close waits for calls that it has cancelled, in a pool
// without a Grace.
const lastGrace = time.Second

// Close drains the pool. From now on new calls fail with an error that matches
// [ErrPoolClosed]; those that run or wait in line go on until ctx is done. Then those in
// line fail likewise, those that run are cancelled with a cause that matches ErrPoolClosed, and Close
// waits for them for the pool's Grace, or a second if that is zero.
//
// Close returns nil once every function has returned and its callbacks and
// clean-ups have ended, abandoned calls included, and a [*CloseError] that lists those
// that are left if that takes longer. It frees and stops nothing else: calls that are
// left keep all they have, and end when C does.
//
// Close may be called more than once and concurrently; each call waits by its
// own ctx. It must not be called from inside one of the pool's calls.
func (p *Pool) Close(ctx context.Context) error {
	drained := p.shut()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
	}
	p.expelAll()
	grace := p.Grace
	if grace <= 0 {
		grace = lastGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-drained:
		return nil
	case <-timer.C:
	}
	if e := p.report(); len(e.Calls) > 0 {
		return e
	}
	<-drained // what is left has its function behind it, or is not at it yet
	return nil
}

// shut closes the door.
func (p *Pool) shut() <-chan struct{} {
	p.mu.Lock()
	if p.drained == nil {
		p.drained = make(chan struct{})
		// Who adds to load before us is in, who adds after us is turned away.
		p.drainedLocked(p.load.Add(shutBit))
	}
	drained := p.drained
	p.mu.Unlock()
	p.crew.close()
	return drained
}

// expelAll empties the line and cancels what runs.
func (p *Pool) expelAll() {
	cause := p.closedError()
	p.mu.Lock()
	p.expelled = true
	for e := p.line.Front(); e != nil; e = p.line.Front() {
		w := p.line.Remove(e).(*waiter)
		w.end = expelled
		close(w.ready)
		p.leaveLocked()
	}
	p.mu.Unlock()

	// A call that is being handed to its worker shows itself after this store,
	// and cancels itself; or before, and we see it.
	p.crew.cancelled.Store(&cause)
	p.crew.mu.Lock()
	defer p.crew.mu.Unlock()
	for w := range p.crew.all {
		w.cancel(cause)
	}
}

// close ends the idle workers, and the others as they become idle.
func (s *crew) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
	for _, w := range s.idle {
		s.end(w)
	}
	s.idle, s.low = nil, 0
}

// show makes the call one that Close can cancel and report; hide takes it back
// before its token is another call's.
func (w *worker) show(c *Call) {
	c.worker = w
	if w.pool == &standard {
		return
	}
	w.mu.Lock()
	w.cur = c
	w.mu.Unlock()
	if cause := w.pool.crew.cancelled.Load(); cause != nil {
		c.tok.Cancel(*cause)
	}
}

func (w *worker) hide() {
	if w.pool == &standard {
		return
	}
	w.mu.Lock() // waits for a cancel that is under way
	w.cur = nil
	w.mu.Unlock()
}

// cancel cancels the call that w makes. Its token is its own: nothing else is.
func (w *worker) cancel(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cur != nil {
		w.cur.tok.Cancel(cause)
	}
}

// A CloseError lists the calls that were left when [Pool.Close] gave up waiting.
type CloseError struct {
	Pool  string // its Name
	Calls []Left // the oldest first
}

// Left is a call that has not returned.
type Left struct {
	// Labels are the profiler labels of the call's context, "key=value" in the
	// order of the keys: see [pprof.WithLabels].
	Labels    string
	Start     time.Time // of its function
	Abandoned bool      // Do has returned
}

func (e *CloseError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "native: pool %q closed, %d calls left", e.Pool, len(e.Calls))
	for i, c := range e.Calls {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep)
		if c.Labels != "" {
			fmt.Fprintf(&b, "[%s] ", c.Labels)
		}
		fmt.Fprintf(&b, "since %s", c.Start.Format(time.RFC3339))
		if c.Abandoned {
			b.WriteString(", abandoned")
		}
	}
	return b.String()
}

// report lists who is left.
func (p *Pool) report() *CloseError {
	e := &CloseError{Pool: p.Name}
	var contexts []context.Context
	p.crew.mu.Lock()
	for w := range p.crew.all {
		w.mu.Lock()
		if c := w.cur; c != nil {
			e.Calls = append(e.Calls, Left{Start: c.since, Abandoned: c.abandon.word.Load() == stateAbandoned})
			contexts = append(contexts, c.ctx)
		}
		w.mu.Unlock()
	}
	p.crew.mu.Unlock()
	for i, ctx := range contexts { // foreign code: with no lock held
		e.Calls[i].Labels = labels(ctx)
	}
	slices.SortFunc(e.Calls, func(a, b Left) int { return a.Start.Compare(b.Start) })
	return e
}

func labels(ctx context.Context) string {
	var all []string
	pprof.ForLabels(ctx, func(k, v string) bool {
		all = append(all, k+"="+v)
		return true
	})
	slices.Sort(all)
	return strings.Join(all, " ")
}
