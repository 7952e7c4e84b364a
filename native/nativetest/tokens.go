//go:build cgo

package nativetest

// #include "tokens.h"
import "C"

import (
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Count is a word that a fixture counts in, in memory pinned by the caller or global.
type Count struct{ word atomic.Uint64 }

// Load returns how many there are.
func (c *Count) Load() uint64 { return c.word.Load() }

// Tokens makes n tokens in C, "token 0 " and so on, of d of computing each, and hands
// each to take, from C. It stops when the word at p is set and when take returns false.
// made, if not nil, counts those that take has taken.
func Tokens(p unsafe.Pointer, n uint64, d time.Duration, take func(string) bool, made *Count) error {
	user := cgo.NewHandle(take)
	defer user.Delete()
	return stopped(C.ht_tokens(p, C.uint64_t(n), C.uint64_t(d), C.uintptr_t(user), unsafe.Pointer(made)))
}

//export htToken
func htToken(user C.uintptr_t, text *C.char, n C.int) C.int {
	take := cgo.Handle(user).Value().(func(string) bool)
	if take(C.GoStringN(text, n)) {
		return 0
	}
	return 1
}
