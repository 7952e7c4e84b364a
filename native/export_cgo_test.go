//go:build cgo

package native

// SignalCounts returns how many signals were sent, handled inside their section, and
// handled anywhere else.
func SignalCounts() (sent, inside, outside uint64) { return signalCounts() }
