package llama

import (
	"errors"
	"unsafe"

	"github.com/hangup-go/hangup/native"
)

// A Request asks for the continuation of a prompt.
type Request struct {
	Prompt      []Token // at least one
	MaxTokens   int     // of the answer
	Temperature float64 // 0: always the likeliest token
	Seed        uint32  // the same seed gives the same answer
}

// A Result says how an answer ended.
type Result struct {
	Tokens int
	Ended  bool // by the model; otherwise it was cut off, by MaxTokens or a full context
}

// Answer computes an answer in C, for a call of e.Pool, until the call is
// cancelled: in the middle of the prompt or of a token. For each token emit gets
// its text, which is only lent; false ends the answer with ErrAborted.
func (e *Engine) Answer(call *native.Call, r Request, emit func(piece []byte) bool) (Result, error) {
	c := <-e.idle
	defer func() { e.idle <- c }()
	return c.answer(r, native.PollBool(), call.Flag().Pointer(), emit)
}

// answer computes an answer on a clean context, whatever the last one left in it.
// llama.cpp asks abort(data) between the steps of every decode, so that nothing
// here needs to look.
func (c *Context) answer(r Request, abort, data unsafe.Pointer, emit func([]byte) bool) (res Result, err error) {
	c.Arm(abort, data)
	defer c.Disarm() // data is not ours any more afterwards
	c.Clear()
	s := NewSampler(r.Temperature, r.Seed)
	defer s.Free()
	var piece []byte
	for next := r.Prompt; res.Tokens < r.MaxTokens; {
		if err := c.Decode(next...); errors.Is(err, ErrFull) {
			return res, nil
		} else if err != nil {
			return res, err
		}
		t := s.Next(c)
		if c.model.Ends(t) {
			res.Ended = true
			return res, nil
		}
		res.Tokens++
		piece = c.model.AppendPiece(piece[:0], t)
		if !emit(piece) {
			return res, ErrAborted
		}
		next = []Token{t}
	}
	return res, nil
}
