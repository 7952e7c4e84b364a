//go:build cgo

package native

import "runtime"

// SignalCounts returns how many signals were sent, handled inside their section, and
// handled anywhere else.
func SignalCounts() (sent, inside, outside uint64) { return signalCounts() }

// Hammer kicks sections without a pause, whether they are in use or not, cancelled or not,
// until stop is closed.
func Hammer(stop <-chan struct{}) {
	var hammered []*section
	for range 8 {
		s := newSection()
		sections.put(s) // the next calls use them
		hammered = append(hammered, s)
	}
	for {
		for _, s := range hammered {
			kickSection(s.c)
		}
		select {
		case <-stop:
			return
		default:
			runtime.Gosched()
		}
	}
}
