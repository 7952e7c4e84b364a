package cancel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// mapMemory returns size bytes of zeroed, page-aligned memory that is never
// freed (VirtualAlloc).
func mapMemory(size uintptr) unsafe.Pointer {
	p, err := windows.VirtualAlloc(0, size, windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		panic(fmt.Errorf("cancel: cannot allocate memory for flags: %w", err))
	}
	// Not Go memory: the address can't move and the collector doesn't know it.
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}
