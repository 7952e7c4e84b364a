package httpwire

import "net/http"

// Scan returns what the frame scanner finds in the pieces, as id<<32 | code.
func Scan(pieces ...[]byte) (resets []uint64) {
	var s frameScanner
	for _, b := range pieces {
		for len(b) > 0 {
			var id, code uint32
			var ok bool
			if b, id, code, ok = s.next(b); ok {
				resets = append(resets, uint64(id)<<32|uint64(code))
			}
		}
	}
	return resets
}

// StreamID is streamID.
func StreamID(w http.ResponseWriter) uint64 { return streamID(w) }

// EarlyResets returns how many resets a connection keeps after so many of streams
// that nobody serves.
func EarlyResets(n int) int {
	var c http2Conn
	for id := range n {
		c.reset(uint32(id), 8)
	}
	return max(len(c.early), len(c.order))
}

// SwapOnly does the first half of a Gone: r's watch is decided, nobody is told.
func SwapOnly(r *http.Request) *Disconnect {
	d := new(Disconnect)
	if !watchOf(r).end.CompareAndSwap(nil, d) {
		return nil
	}
	return d
}
