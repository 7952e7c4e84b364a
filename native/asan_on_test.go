//go:build asan

package native_test

const asanEnabled = true
