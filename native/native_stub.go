//go:build !cgo

package native

import (
	"syscall"
	"unsafe"
)

// Without cgo there is no native code to call: Do and Inline return errNoCgo.
const supported = false

// PollInt returns nil: there is no C function in a program without cgo.
func PollInt() unsafe.Pointer { return nil }

// PollBool returns nil: there is no C function in a program without cgo.
func PollBool() unsafe.Pointer { return nil }

// PollCurl returns nil: there is no C function in a program without cgo.
func PollCurl() unsafe.Pointer { return nil }

// PollTesseract returns nil: there is no C function in a program without cgo.
func PollTesseract() unsafe.Pointer { return nil }

// PollGit2 returns nil: there is no C function in a program without cgo.
func PollGit2() unsafe.Pointer { return nil }

// PollPCRE2 returns nil: there is no C function in a program without cgo.
func PollPCRE2() unsafe.Pointer { return nil }

// PollGDAL returns nil: there is no C function in a program without cgo.
func PollGDAL() unsafe.Pointer { return nil }

// PollLlamaLoad returns nil: there is no C function in a program without cgo.
func PollLlamaLoad() unsafe.Pointer { return nil }

// PollMagick returns nil: there is no C function in a program without cgo.
func PollMagick() unsafe.Pointer { return nil }

type cSection struct{}

func newCSection() *cSection { return nil }

func enterSection(*cSection) (uintptr, syscall.Errno) { return 0, 0 }

func leaveSection(*cSection) {}

func kickSection(*cSection) {}

func defaultSignal() int { return 0 }

func installHandler(int, uintptr) (uintptr, syscall.Errno) { return 0, 0 }
