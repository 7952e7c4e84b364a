package httpwire

// Late is what the timer of SendTimeout calls.
func (s *Stream[T]) Late() { s.interrupt.late() }

// Sending reports whether a send counts as under way.
func (s *Stream[T]) Sending() bool { return s.interrupt.sending.Load() }

// Kept is the capacity of the stream's buffer.
func (s *Stream[T]) Kept() int { return cap(s.buf) }
