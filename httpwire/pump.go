package httpwire

import (
	"errors"
	"iter"
)

// Pump emits what seq yields until it ends, and returns nil; or until seq yields an
// error or an Emit fails. It returns only when seq has: a source that waits must
// watch the request's context, or [Stream.Done].
//
// An error of seq's ends the pumping, not the stream. What the client makes of that is the
// handler's: it may Emit what says so, or cut the response off, by panic(http.ErrAbortHandler); as
// long as nothing was emitted, it may answer with another status. A handler that just returns ends
// the response as a whole one.
//
// The error is seq's or Emit's. If the client has left it matches [ErrDisconnected]
// whatever seq says, also if seq has said nothing, and seq's error as well.
func (s *Stream[T]) Pump(seq iter.Seq2[T, error]) error {
	var err error
	for v, e := range seq {
		if e == nil {
			e = s.Emit(v)
		}
		if err = e; err != nil {
			break
		}
	}
	return s.ended(err)
}

// PumpChan is [Stream.Pump] from a channel. It returns only when c has been closed,
// which says that the source has stopped: after a failure it receives, and drops, what
// else the source has to send. So the source watches the request's context, and closes c.
func (s *Stream[T]) PumpChan(c <-chan T) error {
	var err error
	for v := range c {
		if err == nil {
			err = s.Emit(v)
		}
	}
	return s.ended(err)
}

// ended returns the error of a source that has ended with err.
func (s *stream) ended(err error) error {
	if errors.Is(err, ErrDisconnected) || s.watch == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.watch.left() != nil {
		_ = s.fail(nil, false)
	}
	switch {
	case err == nil:
		return s.err
	case s.err != nil && errors.Is(s.err, ErrDisconnected):
		return errors.Join(s.err, err)
	}
	return err
}
