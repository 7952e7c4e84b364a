//go:build unix

package cancel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapMemory returns size bytes of zeroed, page-aligned memory that is never
// unmapped (mmap(2)).
func mapMemory(size uintptr) unsafe.Pointer {
	p, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Errorf("cancel: cannot map memory for flags: %w", err))
	}
	return p
}
