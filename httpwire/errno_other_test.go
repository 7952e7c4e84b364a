//go:build !unix

package httpwire_test

import "errors"

var (
	errConnReset = errors.New("connection reset")
	errTimeout   = errors.New("timed out")
)
