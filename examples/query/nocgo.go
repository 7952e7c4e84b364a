//go:build !cgo

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "query: built without cgo, which the engine needs: install gcc and set CGO_ENABLED=1")
	os.Exit(1)
}
