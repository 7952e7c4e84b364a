package nativetest

import "testing"

// InterrupterUntil is TestInterrupter for a binding that says by closing expired that it will
// not return: nobody has to wait for its Grace.
func InterrupterUntil[H any](t testing.TB, b Binding[H], expired <-chan struct{}) {
	(&suite[H]{Binding: b, expired: expired}).test(t)
}
