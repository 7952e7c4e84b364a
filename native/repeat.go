package native

import (
	"sync"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A callback is one registered with a call, repeated or not.
type callback struct {
	cancel.Registration
	repeat *repetition // nil: once
	ours   bool        // not the user's: it is not counted
}

// A repetition ends when the function has returned, or earlier on request.
type repetition struct {
	once   sync.Once
	ending chan struct{}
}

func (r *repetition) end() { r.once.Do(func() { close(r.ending) }) }

// OnCancelRepeat is like OnCancel for a cancel function that does nothing when it
// comes before the library was entered (sqlite3_interrupt, PQcancel): once the
// call is cancelled, f is called again and again on one goroutine, after 50 µs
// at first and then at growing intervals of up to 10 ms, until the function has
// returned. Do and Inline wait for an f that is running by then.
//
// The returned stop ends that earlier, for a function that frees what f uses: when
// stop returns, f is not running and never will. It may be called more than
// once.
func (c *Call) OnCancelRepeat(f func(cause error)) (stop func()) {
	if f == nil {
		panic("native: OnCancelRepeat called with a nil callback")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.token()
	c.more.Store(true)
	f = c.recorded(f)
	rep := &repetition{ending: make(chan struct{})}
	r := t.OnCancel(func(cause error) { repeatUntil(rep.ending, func() { f(cause) }) })
	c.callbacks = append(c.callbacks, callback{Registration: r, repeat: rep})
	return func() {
		rep.end()
		r.StopAndWait()
	}
}

// repeatUntil calls f at growing intervals until it has received from ending.
func repeatUntil(ending <-chan struct{}, f func()) {
	pause := 50 * time.Microsecond
	for {
		select {
		case <-ending: // before the first time, and when both were ready below
			return
		default:
		}
		f()
		timer := time.NewTimer(pause)
		select {
		case <-ending:
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, 10*time.Millisecond)
	}
}
