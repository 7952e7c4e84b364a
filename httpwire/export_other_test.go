//go:build !linux

package httpwire

func Monitored() int { return -1 }
