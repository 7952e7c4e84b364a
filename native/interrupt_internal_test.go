//go:build cgo && linux

package native

import (
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"
)

// N3, N8: leaving a section waits for a kicker that has its reference and is yet to send: the
// section, and the thread, are another call's after that.
func TestSection_leaveWaitsForKicker(t *testing.T) {
	if err := interrupts.ready(); err != nil {
		t.Fatal(err)
	}
	const in, kicker = 1, 2 // of interrupt.c
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := newCSection()
	word := (*uint32)(unsafe.Pointer(&s.word))
	for range 20 {
		if _, err := enterSection(s); err != 0 {
			t.Fatal(err)
		}
		atomic.AddUint32(word, kicker) // the kicker's CAS
		var done atomic.Bool
		go func() {
			for atomic.LoadUint32(word)&in != 0 {
				runtime.Gosched()
			}
			for range 200 {
				runtime.Gosched()
			}
			done.Store(true)
			atomic.AddUint32(word, ^uint32(kicker-1))
		}()
		leaveSection(s)
		if !done.Load() {
			t.Fatal("left while a kicker had its reference")
		}
	}
}
