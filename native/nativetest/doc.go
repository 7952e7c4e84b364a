// Package nativetest tests bindings of native code: [TestInterrupter] cancels calls of
// yours at every moment and says what is wrong.
//
// It also holds C fixtures that block the way real libraries do, for the tests and
// benchmarks of package native. They need cgo.
package nativetest
