package server

import "unicode/utf8"

// A text is put together from pieces that need not be whole characters.
type text struct{ held []byte }

// add returns the whole characters that there are now, and holds the rest back.
func (t *text) add(piece []byte) string {
	t.held = append(t.held, piece...)
	n := len(t.held) - cut(t.held)
	whole := string(t.held[:n])
	t.held = append(t.held[:0], t.held[n:]...)
	return whole
}

// rest returns what was held back, which nothing completes any more.
func (t *text) rest() string { return string(t.held) }

// cut is the length of the character that b breaks off in, 0 if it does not.
func cut(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
