package cancel

// Running returns how many callbacks of t run.
func Running(t *Token) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := t.running.head; c != nil; c = c.next {
		n++
	}
	return n
}

// Borrowed reports whether t is borrowed.
func Borrowed(t *Token) bool { return t.state.Load()&borrows != 0 }
