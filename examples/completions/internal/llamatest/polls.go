// Package llamatest is what tests of llama.cpp need.
package llamatest

// #cgo CFLAGS: -O2 -Wall -Wextra -Werror
// #include "polls.h"
import "C"

import (
	"slices"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/native"
)

// Polls is an abort callback with a word of its own, which notes when it is asked.
// It is used on one goroutine.
type Polls struct{ c *C.hangup_polls }

// capacity is how many questions are noted.
const capacity = 1 << 17

// NewPolls makes one; Free frees it.
func NewPolls() *Polls {
	return &Polls{C.hangup_polls_new((*[0]byte)(native.PollBool()), capacity)}
}

// Free frees it.
func (p *Polls) Free() { C.hangup_polls_free(p.c) }

// Callback is what C calls.
func (p *Polls) Callback() (abort, data unsafe.Pointer) {
	return C.hangup_polls_ask, unsafe.Pointer(p.c)
}

// Reset begins anew, with a word that is not set, and that the question number
// trip will set; none if it is 0.
func (p *Polls) Reset(trip int) { C.hangup_polls_reset(p.c, C.int64_t(trip)) }

// Set sets the word.
func (p *Polls) Set() { C.hangup_polls_set(p.c) }

// Asked is how many questions there have been.
func (p *Polls) Asked() int { return int(p.c.asked) }

// Gaps are the times between two questions, of the processor: what else the machine
// does meanwhile is not in them.
func (p *Polls) Gaps() (gaps []time.Duration) {
	at := unsafe.Slice((*int64)(unsafe.Add(unsafe.Pointer(p.c), C.sizeof_hangup_polls)), min(p.Asked(), capacity))
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, time.Duration(at[i]-at[i-1]))
	}
	return gaps
}

// Typical is the gap that a random moment is in, in half of the cases, or in one
// that is shorter: the median of gaps by the time that they take.
func Typical(gaps []time.Duration) time.Duration {
	gaps = slices.Sorted(slices.Values(gaps))
	var all, passed time.Duration
	for _, g := range gaps {
		all += g
	}
	for _, g := range gaps {
		if passed += g; passed*2 >= all {
			return g
		}
	}
	return 0
}

// Next is how long a random moment is from the end of the gap that it is in, in half of the
// cases, or shorter: what the engine alone lets pass before it can notice anything.
func Next(gaps []time.Duration) time.Duration {
	low, high := time.Duration(0), slices.Max(gaps)
	var all time.Duration
	for _, g := range gaps {
		all += g
	}
	for low < high {
		mid := low + (high-low)/2
		var near time.Duration // of the moments, those whose gap ends within mid
		for _, g := range gaps {
			near += min(g, mid)
		}
		if 2*near >= all {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// Mean is the mean of gaps, most of which are short.
func Mean(gaps []time.Duration) (mean time.Duration) {
	for _, g := range gaps {
		mean += g / time.Duration(len(gaps))
	}
	return mean
}
