package native

import "time"

// Stats counts the calls of a pool since the program started.
type Stats struct {
	Started   uint64 // handed to a goroutine
	Running   uint64 // of those, not yet returned
	Completed uint64 // returned, with an error or not, panicked or exited, and not cancelled
	Cancelled uint64 // returned an error, panicked or exited after a cancel or their deadline, or were cancelled on their way to the function

	// CompletedDespiteCancel counts calls that were cancelled and returned a
	// result all the same.
	CompletedDespiteCancel uint64

	// Abandoned counts calls that returned ErrAbandoned, Reclaimed those of them
	// that have really returned since. The difference is running still, and
	// counted there.
	Abandoned, Reclaimed uint64
	LatePanics           uint64 // panics of abandoned calls

	Queued   int           // waiting for a place now
	Waited   uint64        // calls that have waited for a place, and do not any more
	WaitSum  time.Duration // how long, all together
	WaitMax  time.Duration // and the longest
	Left     uint64        // of those, cancelled while they waited
	Rejected uint64        // came to a full or closed pool

	Callbacks uint64 // callbacks of cancelled calls, less those that were prevented at their end
	Workers   int    // goroutines, parked ones included
}

// ended says how the call ended, before leave.
func (c *Call) ended() Outcome {
	return c.decide(c.panic != nil || c.goexit || c.job.failed())
}

// ReadStats returns the figures of the default pool, which [Do] uses. See
// [Pool.Stats].
func ReadStats() Stats { return standard.Stats() }

// Stats returns the figures now. It takes locks that calls take too; read it a
// few times a second at most.
func (p *Pool) Stats() Stats {
	s := p.crew.stats()
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Queued = p.line.Len()
	s.Waited, s.WaitSum, s.WaitMax = p.waited, p.waitSum, p.waitMax
	s.Left, s.Rejected = p.left, p.rejected
	return s
}

func (s *crew) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.counts
	sum.Completed = s.finished[Completed]
	sum.Cancelled = s.finished[Cancelled]
	sum.CompletedDespiteCancel = s.finished[CompletedDespiteCancel]
	sum.Running = sum.Started - sum.Completed - sum.Cancelled - sum.CompletedDespiteCancel
	sum.Workers = len(s.all)
	return sum
}
