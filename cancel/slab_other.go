//go:build !unix && !windows

package cancel

import "unsafe"

// mapMemory returns zeroed memory for systems without mmap. No C code reads
// flags there; the Go collector does not move it and the slab keeps it.
func mapMemory(size uintptr) unsafe.Pointer {
	const align = 128
	b := make([]byte, size+align)
	kept = append(kept, b)
	p := unsafe.Pointer(unsafe.SliceData(b))
	return unsafe.Add(p, -uintptr(p)&(align-1))
}

var kept [][]byte
