package httpwire

import (
	"sync"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A heart sends a stream's heartbeats. While it waits there is no goroutine, only a
// timer; beats counts the armed timer or the beat that it has started, so that stop
// can wait for either.
type heart struct {
	s     *stream
	every time.Duration
	beat  []byte
	beats sync.WaitGroup
	panic *cancel.PanicError // of a beat

	mu    sync.Mutex // guards what follows
	over  bool
	timer *time.Timer
}

// start does nothing after stop, which may be ahead of it: the handler has returned.
func (h *heart) start(s *stream, every time.Duration, beat string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return
	}
	h.s, h.every, h.beat = s, every, []byte(beat)
	h.beats.Add(1)
	h.timer = time.AfterFunc(every, h.run)
}

func (h *heart) run() {
	defer h.beats.Done()
	defer h.recover() // a panic is for the handler's goroutine
	if h.send() {
		h.again()
	}
}

// send sends one heartbeat, and reports whether there are to be more. An Emit that is under
// way is as good as one: a beat never waits for it.
func (h *heart) send() bool {
	if !h.s.mu.TryLock() {
		return true
	}
	defer h.s.mu.Unlock()
	return h.s.err == nil && h.s.send(h.beat) == nil
}

func (h *heart) again() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.beats.Add(1)
		h.timer.Reset(h.every)
	}
}

// stop returns when no beat is under way or will be.
func (h *heart) stop() {
	h.mu.Lock()
	h.over = true
	if h.timer != nil && h.timer.Stop() {
		h.beats.Done()
	}
	h.mu.Unlock()
	h.beats.Wait()
}

func (h *heart) recover() {
	if v := recover(); v != nil {
		h.panic = cancel.Recovered(v)
	}
}
