package gguf

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
)

// The shape of the random model: small enough to be made in a moment, large
// enough that a prompt of 2,048 tokens takes seconds.
const (
	Context = 4096 // tokens at most

	width    = 512
	layers   = 4
	heads    = 8
	kvHeads  = 2
	headSize = width / heads
	hidden   = 1408 // of the feed-forward part
)

// WriteRandom writes a model of the llama architecture with random weights: for
// the engine it is a model like any other; its text means nothing. The same
// seed gives the same file.
func WriteRandom(w io.Writer, seed uint64) error {
	v := newVocabulary()
	return Write(w, append(v.meta(), shape()...), tensors(newRandom(seed), v))
}

func shape() []Meta {
	return []Meta{
		{"general.architecture", "llama"},
		{"general.name", "random weights"},
		{"llama.context_length", uint32(Context)},
		{"llama.embedding_length", uint32(width)},
		{"llama.block_count", uint32(layers)},
		{"llama.feed_forward_length", uint32(hidden)},
		{"llama.attention.head_count", uint32(heads)},
		{"llama.attention.head_count_kv", uint32(kvHeads)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"llama.rope.dimension_count", uint32(headSize)},
		{"llama.rope.freq_base", float32(10000)},
	}
}

func tensors(r *random, v vocabulary) []Tensor {
	words := len(v.tokens)
	list := []Tensor{
		{"token_embd.weight", F16, width, words, r.uniform(1)},
		ones("output_norm.weight"),
		{"output.weight", F16, width, words, v.output(r)},
	}
	matrix := func(name string, columns, rows int) Tensor {
		return Tensor{name, F16, columns, rows, r.uniform(1 / math.Sqrt(float64(columns)))}
	}
	for i := range layers {
		block := fmt.Sprintf("blk.%d.", i)
		list = append(list,
			ones(block+"attn_norm.weight"),
			matrix(block+"attn_q.weight", width, heads*headSize),
			matrix(block+"attn_k.weight", width, kvHeads*headSize),
			matrix(block+"attn_v.weight", width, kvHeads*headSize),
			matrix(block+"attn_output.weight", heads*headSize, width),
			ones(block+"ffn_norm.weight"),
			matrix(block+"ffn_gate.weight", width, hidden),
			matrix(block+"ffn_up.weight", width, hidden),
			matrix(block+"ffn_down.weight", hidden, width),
		)
	}
	return list
}

func ones(name string) Tensor {
	return Tensor{name, F32, width, 1, func(row []float32) {
		for i := range row {
			row[i] = 1
		}
	}}
}

// random numbers, of which rows are cut at random places: making each one anew would
// take most of a start.
type random struct {
	*rand.Rand
	numbers []float32
}

func newRandom(seed uint64) *random {
	r := &random{rand.New(rand.NewPCG(seed, 0)), make([]float32, 1<<16)}
	for i := range r.numbers {
		r.numbers[i] = float32((r.Float64()*2 - 1) * math.Sqrt(3)) // of deviation 1
	}
	return r
}

// uniform fills rows with numbers of this standard deviation.
func (r *random) uniform(deviation float64) func([]float32) {
	return func(row []float32) {
		at := r.IntN(len(r.numbers) - len(row))
		for i, f := range r.numbers[at : at+len(row)] {
			row[i] = f * float32(deviation)
		}
	}
}
