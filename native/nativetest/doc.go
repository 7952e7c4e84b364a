//go:build !cgo

// Package nativetest is empty without cgo.
package nativetest
