//go:build unix

package httpwire

import "syscall"

var (
	errReset       = []error{syscall.ECONNRESET}
	errPipe        = []error{syscall.EPIPE}
	errTimedOut    = []error{syscall.ETIMEDOUT}
	errUnreachable = []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH}
)
