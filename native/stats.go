package native

// Stats counts the calls made with [Do] since the program started.
type Stats struct {
	Started   uint64 // handed to a goroutine
	Running   uint64 // of those, not yet returned
	Completed uint64 // returned and not cancelled
	Cancelled uint64 // returned an error, panicked or exited after a cancel

	// CompletedDespiteCancel counts calls that were cancelled and returned a
	// result all the same.
	CompletedDespiteCancel uint64

	Callbacks uint64 // callbacks of cancelled calls, less those that were prevented at their end
	Workers   int    // goroutines, parked ones included
}

type outcome int

const (
	callCompleted outcome = iota
	callCancelled
	callCompletedDespiteCancel
)

// ended says how the call ended, before leave.
func (c *Call) ended() outcome {
	switch {
	case !c.tok.Cancelled():
		return callCompleted
	case c.panic != nil || c.goexit || c.job.failed():
		return callCancelled
	default:
		return callCompletedDespiteCancel
	}
}

// ReadStats returns the figures now. It takes a lock that Do takes too; read it
// a few times a second at most.
func ReadStats() Stats {
	workers.mu.Lock()
	defer workers.mu.Unlock()
	s := workers.ended
	for w := range workers.all {
		s.add(w)
	}
	s.Running = s.Started - s.Completed - s.Cancelled - s.CompletedDespiteCancel
	s.Workers = len(workers.all)
	return s
}

func (s *Stats) add(w *worker) {
	// The outcomes first: a call that ends meanwhile counts as running, and
	// Running is never negative.
	s.Completed += w.finished[callCompleted].Load()
	s.Cancelled += w.finished[callCancelled].Load()
	s.CompletedDespiteCancel += w.finished[callCompletedDespiteCancel].Load()
	s.Callbacks += w.callbacks.Load()
	s.Started += w.started.Load()
}
