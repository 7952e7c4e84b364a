//go:build !linux && !darwin

package httpwire

// limitRetransmission does nothing: these systems have no such option, or none
// that could be tried. Their own limit holds, which is minutes.
func limitRetransmission(uintptr, patience) {}
