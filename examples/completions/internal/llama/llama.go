// Package llama runs language models in llama.cpp, so that whatever it is
// computing, the prompt or the next token, stops when a word that C can read is
// set.
package llama

// #cgo CFLAGS: -O2 -Wall -Wextra -Werror
// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"
)

// ErrAborted is what a decode says that its abort callback has stopped.
var ErrAborted = errors.New("llama: aborted")

// ErrFull is what a decode says that found no room in its context.
var ErrFull = errors.New("llama: the context is full")

// errorSize is how long C's reasons may be.
const errorSize = 1024

// open finds llama.cpp in the shared library at path, and kernels for this
// processor in the directory backends; either may be "", for those that are
// linked into the program.
func open(path, backends string) error {
	cpath, free := cstring(path)
	defer free()
	cbackends, free := cstring(backends)
	defer free()
	reason, free := buffer()
	defer free()
	if C.hangup_llama_open(cpath, cbackends, reason, errorSize) != 0 {
		return errors.New(C.GoString(reason))
	}
	return nil
}

// cstring is NULL for "".
func cstring(s string) (c *C.char, free func()) {
	if s == "" {
		return nil, func() {}
	}
	c = C.CString(s)
	return c, func() { C.free(unsafe.Pointer(c)) }
}

func buffer() (c *C.char, free func()) {
	c = (*C.char)(C.calloc(1, errorSize))
	return c, func() { C.free(unsafe.Pointer(c)) }
}

// A Token is a piece of text, as the model knows it.
type Token = int32

// A Model is weights and a vocabulary. Contexts share it; it is freed after them.
type Model struct{ c *C.llama_model }

// Load loads a GGUF file.
func Load(file string) (*Model, error) {
	cfile, free := cstring(file)
	defer free()
	reason, free := buffer()
	defer free()
	m := C.hangup_llama_load(cfile, reason, errorSize)
	if m == nil {
		lines := strings.TrimSpace(C.GoString(reason))
		return nil, fmt.Errorf("llama: loading %s: %s", file, strings.ReplaceAll(lines, "\n", "; "))
	}
	return &Model{m}, nil
}

// Free frees the model. No context of it may be left.
func (m *Model) Free() { C.hangup_llama_free_model(m.c) }

// Tokenize puts text into tokens, a beginning-of-text first if the model wants
// one. With special, names of control tokens in the text stand for those tokens.
func (m *Model) Tokenize(text string, special bool) ([]Token, error) {
	if len(text) > math.MaxInt32/2 {
		return nil, errors.New("llama: the text is too long")
	}
	ctext := C.CString(text)
	defer C.free(unsafe.Pointer(ctext))
	tokens := make([]Token, len(text)+8) // a token has a byte at least, but for a few around the text
	n := C.hangup_llama_tokenize(m.c, ctext, C.int32_t(len(text)), (*C.int32_t)(&tokens[0]), C.int32_t(len(tokens)), C.bool(special))
	if n < 0 {
		return nil, errors.New("llama: the text can't be put into tokens")
	}
	return tokens[:n], nil
}

// AppendPiece appends the text of t to b. It need not be whole characters.
func (m *Model) AppendPiece(b []byte, t Token) []byte {
	var piece [256]byte
	n := C.hangup_llama_piece(m.c, C.int32_t(t), (*C.char)(unsafe.Pointer(&piece[0])), C.int32_t(len(piece)))
	return append(b, piece[:max(n, 0)]...)
}

// Ends reports whether an answer ends with t.
func (m *Model) Ends(t Token) bool { return bool(C.hangup_llama_ends(m.c, C.int32_t(t))) }

// A Message is one turn of a chat.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Chat writes messages as the model was trained to read them, up to where its
// own answer begins.
func (m *Model) Chat(messages []Message) (string, error) {
	list := make([]C.hangup_message, len(messages))
	size := 256
	for i, msg := range messages {
		if strings.Contains(msg.Role+msg.Content, "\x00") {
			return "", errors.New("llama: a message has a NUL in it") // where it would end, for C
		}
		list[i].role, list[i].content = C.CString(msg.Role), C.CString(msg.Content)
		defer C.free(unsafe.Pointer(list[i].role))
		defer C.free(unsafe.Pointer(list[i].content))
		size += len(msg.Role) + len(msg.Content) + 256 // for the template's own words
	}
	text := make([]byte, size)
	n := C.hangup_llama_chat(m.c, unsafe.SliceData(list), C.size_t(len(list)), (*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.int32_t(size))
	if n < 0 || int(n) > size {
		return "", errors.New("llama: the model's chat template is not one that llama.cpp knows by itself")
	}
	return string(text[:n]), nil
}

// A Context is the state of one text: tokens, and what the model has computed of
// them. One goroutine uses it at a time.
type Context struct {
	c     *C.llama_context
	model *Model
}

// NewContext makes a context with room for so many tokens.
func (m *Model) NewContext(tokens, ubatch, threads int) (*Context, error) {
	c := C.hangup_llama_new(m.c, C.uint32_t(tokens), C.uint32_t(ubatch), C.int32_t(threads))
	if c == nil {
		return nil, fmt.Errorf("llama: no context of %d tokens", tokens)
	}
	return &Context{c, m}, nil
}

// Free frees the context.
func (c *Context) Free() { C.hangup_llama_free(c.c) }

// Size is how many tokens the context has room for.
func (c *Context) Size() int { return int(C.hangup_llama_size(c.c)) }

// Clear forgets all tokens.
func (c *Context) Clear() { C.hangup_llama_clear(c.c) }

// Arm makes decodes ask abort(data), a C function that stops them with true,
// until Disarm.
func (c *Context) Arm(abort, data unsafe.Pointer) {
	C.hangup_llama_arm(c.c, C.hangup_abort(abort), data)
}

// Disarm ends what Arm began: nothing is asked any more.
func (c *Context) Disarm() { C.hangup_llama_arm(c.c, nil, nil) }

// Decode computes tokens behind those that are in the context. On ErrAborted
// some of them may be in it.
func (c *Context) Decode(tokens ...Token) error {
	switch rc := C.hangup_llama_decode(c.c, (*C.int32_t)(&tokens[0]), C.int32_t(len(tokens))); rc {
	case 0:
		return nil
	case 1:
		return ErrFull
	case 2:
		return ErrAborted
	default:
		return fmt.Errorf("llama: decoding: code %d", rc)
	}
}

// A Sampler chooses tokens.
type Sampler struct{ c *C.llama_sampler }

// NewSampler makes a sampler: of the likeliest token if temperature is 0, else a
// random one, which the seed determines.
func NewSampler(temperature float64, seed uint32) *Sampler {
	return &Sampler{C.hangup_llama_new_sampler(C.float(temperature), C.uint32_t(seed))}
}

// Free frees the sampler.
func (s *Sampler) Free() { C.hangup_llama_free_sampler(s.c) }

// Next chooses the token that follows the last one decoded in c.
func (s *Sampler) Next(c *Context) Token { return Token(C.hangup_llama_sample(s.c, c.c)) }
