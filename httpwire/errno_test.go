//go:build unix

package httpwire_test

import "syscall"

const (
	errConnReset  = syscall.ECONNRESET
	errBrokenPipe = syscall.EPIPE
	errTimeout    = syscall.ETIMEDOUT
)
