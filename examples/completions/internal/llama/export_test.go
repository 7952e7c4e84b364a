package llama

import "unsafe"

// AnswerOn is Engine.Answer on a context and with an abort callback of the
// test's.
func AnswerOn(c *Context, r Request, abort, data unsafe.Pointer, emit func([]byte) bool) (Result, error) {
	return c.answer(r, abort, data, emit)
}
