//go:build !cgo

package native

import "unsafe"

// Without cgo there is no native code to call: Do and Inline return errNoCgo.
const supported = false

// PollInt returns nil: there is no C function in a program without cgo.
func PollInt() unsafe.Pointer { return nil }

// PollBool returns nil: there is no C function in a program without cgo.
func PollBool() unsafe.Pointer { return nil }
