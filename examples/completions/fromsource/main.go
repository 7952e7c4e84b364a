// Fromsource is the completions example with llama.cpp inside, for machines where
// the shared library can't be had: it takes Go and a C++ compiler. The first build
// takes four minutes of a processor, the sources are those that ollama's module
// carries.
//
//	cd completions/fromsource
//	CGO_CFLAGS="-O3 -march=native" CGO_CXXFLAGS="-O3 -march=native" go run . -demo
//
// Without -march the kernels are for any x86-64, and twenty times slower.
package main

import (
	"os"

	_ "github.com/ollama/ollama/llama/llama.cpp/src"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/completions/internal/server"
)

// #cgo LDFLAGS: -rdynamic
import "C"

// -rdynamic makes llama.cpp's functions ones that dlsym finds.

func main() {
	llama.Linked()
	os.Exit(server.Run(os.Args[1:], os.Stdout, os.Stderr))
}
