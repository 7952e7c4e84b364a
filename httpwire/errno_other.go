//go:build !unix && !windows

package httpwire

// Nothing portable to tell them by: only EOF counts.
var errReset, errPipe, errTimedOut, errUnreachable []error
