package native

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"
)

// Stream makes a call in pool p, as [DoIn] does, that produces values as it goes, and
// returns them as an iterator: for an engine that hands out tokens or rows by callback.
//
//	for tok, err := range native.Stream(ctx, pool, 16, func(c *native.Call, send func(string) bool) error {
//		return engine.Generate(prompt, c.Flag().Pointer(), send) // the callback stops C when send says false
//	}) { ... }
//
// Each use of the iterator makes one call. fn runs on another goroutine than the loop;
// send hands the loop a value, and may be called on any thread until fn has returned.
// Up to buffer values wait for the loop; then send does, and C with it. It returns
// false once the call is cancelled: fn is to return.
//
// The call is cancelled when ctx is done, and when the loop ends early, by break or
// panic. Values that were sent before still come. The iterator returns when fn has returned and
// every callback of the call has ended; except after ErrAbandoned, as for Do. If Do's
// error is not nil it comes last, with a zero value; not to a loop that has ended early. A
// panic of fn, and Goexit, reach the loop's goroutine.
func Stream[T any](ctx context.Context, p *Pool, buffer int, fn func(c *Call, send func(T) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		s := &source[T]{values: make(chan T, buffer), over: make(chan struct{})}
		go s.run(ctx, p, fn)
		s.loop(yield)
	}
}

// errLoopEnded is the cause for which a call is cancelled whose loop has ended early.
var errLoopEnded = errors.New("native: the loop over the stream has ended")

// A source is one call and the loop over what it sends. The loop's goroutine may
// cancel the call only while that is its own: call says so, and is guarded by mu.
type source[T any] struct {
	values chan T
	over   chan struct{} // closed when Do has returned, with what follows
	err    error
	panic  any
	goexit bool

	mu   sync.Mutex
	call *Call
}

func (s *source[T]) run(ctx context.Context, p *Pool, fn func(*Call, func(T) bool) error) {
	returned := false
	defer func() {
		if !returned {
			s.panic = recover()
			s.goexit = s.panic == nil
		}
		close(s.over)
	}()
	_, s.err = do(ctx, p, true, func(c *Call) (struct{}, error) {
		s.set(c)
		defer s.set(nil)
		return struct{}{}, fn(c, func(v T) bool { return s.send(c, v) })
	})
	returned = true
}

func (s *source[T]) set(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call = c
}

func (s *source[T]) send(c *Call, v T) bool {
	t := c.token()
	if t.Cancelled() {
		return false
	}
	select {
	case s.values <- v:
		return true
	default:
	}
	select {
	case s.values <- v:
		return true
	case <-t.Done():
		return false
	}
}

// loop hands values to yield until the call has ended.
func (s *source[T]) loop(yield func(T, error) bool) {
	defer s.join() // after a panic of yield's too
	for {
		select {
		case v := <-s.values:
			if !yield(v, nil) {
				return
			}
		case <-s.over:
			s.rest(yield)
			return
		}
	}
}

// rest hands over what was left in the buffer, and the error.
func (s *source[T]) rest(yield func(T, error) bool) {
	for {
		select {
		case v := <-s.values:
			if !yield(v, nil) {
				return
			}
			continue
		default:
		}
		if s.err != nil {
			var zero T
			yield(zero, s.err)
		}
		return
	}
}

// join cancels the call, if it has not ended, and waits for it.
func (s *source[T]) join() {
	s.mu.Lock()
	if s.call != nil {
		s.call.tok.Cancel(errLoopEnded)
	}
	s.mu.Unlock()
	<-s.over
	if s.panic != nil {
		panic(s.panic)
	}
	if s.goexit {
		runtime.Goexit()
	}
}
