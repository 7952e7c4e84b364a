//go:build !unix

package httpwire_test

import "errors"

var (
	errConnReset  = errors.New("connection reset")
	errBrokenPipe = errors.New("broken pipe")
	errTimeout    = errors.New("timed out")
)
