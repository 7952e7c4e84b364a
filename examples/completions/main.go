//go:build cgo

// Completions is an LLM server on llama.cpp that stops computing when its client
// hangs up: while it waits in line, in the middle of the prompt, or between and
// within tokens.
//
//	POST /v1/completions        OpenAI's API: prompt, max_tokens, temperature, seed, stream
//	POST /v1/chat/completions   likewise, with messages
//	GET /v1/models
//	GET /debug/calls            what runs, what was stopped, who left
//	GET /healthz
//
// It needs llama.cpp as a shared library. The script fetch gets one, 11 MB, in
// seconds, where there are npm and Linux on x86-64:
//
//	completions/fetch && go run ./completions -demo
//
// Or -llama, or HANGUP_LLAMA in the environment, says where one is. Elsewhere, or
// without npm, the program in fromsource has llama.cpp inside; it takes Go, a C++
// compiler, and four minutes to build.
//
// Without -model it makes a small model of random weights when it starts: llama.cpp
// computes as ever, and the text means nothing.
//
// What it prints, its signals and its exit codes are those of the query example.
// With -demo it hangs up on itself over HTTP/1.1, HTTP/2 and HTTP/3, in the prompt
// and in the answer, and prints a table.
package main

import (
	"os"

	"github.com/hangup-go/hangup/examples/completions/internal/server"
)

func main() { os.Exit(server.Run(os.Args[1:], os.Stdout, os.Stderr)) }
