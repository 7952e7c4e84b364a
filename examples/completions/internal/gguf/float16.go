package gguf

import "math"

// float16 rounds f to the nearest number of IEEE 754's binary16, ties to even;
// what is too large becomes infinity, what is too small for its normal numbers
// zero.
func float16(f float32) uint16 {
	const (
		bits     = 23 - 10  // that binary16's fraction is shorter
		rebias   = 127 - 15 // of the exponent
		infinity = 0x7c00
	)
	u := math.Float32bits(f)
	sign := uint16(u >> 16 & 0x8000)
	u &= 1<<31 - 1
	switch {
	case f != f:
		return sign | infinity | 1
	case u < (rebias+1)<<23:
		return sign
	}
	u += 1<<(bits-1) - 1 + u>>bits&1 // a carry goes into the exponent, as it should
	return sign | uint16(min(u>>bits-rebias<<10, infinity))
}
