package httpwire

// Late is what the timer of SendTimeout calls.
func (s *Stream[T]) Late() { s.interrupt.late() }
