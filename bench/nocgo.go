//go:build !linux || !cgo

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	why := "built without cgo, which the native calls need: install gcc and set CGO_ENABLED=1"
	if runtime.GOOS != "linux" {
		why = "measures on Linux only"
	}
	fmt.Fprintln(os.Stderr, "bench:", why)
	os.Exit(1)
}
