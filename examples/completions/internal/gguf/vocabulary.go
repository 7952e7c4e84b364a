package gguf

import "fmt"

// The format's numbers for kinds of tokens.
const (
	kindNormal  = 1
	kindUnknown = 2
	kindControl = 3
	kindByte    = 6
)

// space is how SentencePiece writes one: U+2581.
const space = "▁"

// A vocabulary is SentencePiece's: the control tokens, one token for each byte,
// so that any text can be told in tokens, the space, and syllables to answer with.
type vocabulary struct {
	tokens []string
	kinds  []int32
	spoken int // tokens from here on are what the model answers with
}

func newVocabulary() vocabulary {
	var v vocabulary
	v.add("<unk>", kindUnknown)
	v.add("<s>", kindControl)
	v.add("</s>", kindControl)
	for b := range 256 {
		v.add(fmt.Sprintf("<0x%02X>", b), kindByte)
	}
	v.add(space, kindNormal)
	v.spoken = len(v.tokens)
	for _, start := range []string{"", space} {
		for _, consonant := range "bdfgklmnprstvz" {
			for _, vowel := range "aeiou" {
				v.add(start+string(consonant)+string(vowel), kindNormal)
			}
		}
	}
	return v
}

func (v *vocabulary) add(token string, kind int32) {
	v.tokens, v.kinds = append(v.tokens, token), append(v.kinds, kind)
}

func (v *vocabulary) meta() []Meta {
	return []Meta{
		{"tokenizer.ggml.model", "llama"},
		{"tokenizer.ggml.tokens", v.tokens},
		{"tokenizer.ggml.scores", make([]float32, len(v.tokens))},
		{"tokenizer.ggml.token_type", v.kinds},
		{"tokenizer.ggml.unknown_token_id", uint32(0)},
		{"tokenizer.ggml.bos_token_id", uint32(1)},
		{"tokenizer.ggml.eos_token_id", uint32(2)},
		{"tokenizer.ggml.add_bos_token", true},
		{"tokenizer.ggml.add_space_prefix", false},
	}
}

// output fills the matrix that scores each token. Rows of zeros keep control
// tokens and bytes at a score that random ones leave far behind, so an answer
// is syllables, and ends only where it is cut off.
func (v *vocabulary) output(r *random) func([]float32) {
	token, syllable := 0, r.uniform(0.2)
	return func(row []float32) {
		if token < v.spoken {
			clear(row)
		} else {
			syllable(row)
		}
		token++
	}
}
