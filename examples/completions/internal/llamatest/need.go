package llamatest

import (
	"errors"
	"os"
	"testing"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
)

// required, set to "require", makes a missing llama.cpp a failure.
const required = "HANGUP_LLAMA_TESTS"

// Need makes llama.cpp ready, and skips the test where there is none.
func Need(t testing.TB) {
	t.Helper()
	err := llama.Open("")
	switch {
	case errors.Is(err, llama.ErrNoLibrary) && os.Getenv(required) != "require":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// Options are those of a small engine with random weights.
func Options() llama.Options {
	return llama.Options{Seed: 1, Contexts: 1, Tokens: 4096, Ubatch: 64, Threads: 1}
}

// Prompt is one of n tokens of the random model: whatever the n, no two beginnings
// are the same.
func Prompt(n int) []llama.Token {
	const first, spoken = 260, 140 // of the syllables
	tokens := make([]llama.Token, n)
	for i := range tokens {
		tokens[i] = llama.Token(first + (i*i+7*n)%spoken)
	}
	return tokens
}
