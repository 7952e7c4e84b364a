package llama

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/hangup-go/hangup/examples/completions/internal/gguf"
	"github.com/hangup-go/hangup/native"
)

// Options say how an Engine is made.
type Options struct {
	Library  string // llama.cpp: see Open
	Model    string // a GGUF file; if empty one with random weights is made
	Seed     uint64 // of the random weights
	Contexts int    // answers at once; the others wait in line
	Queue    int    // how many may wait; 0 means any number
	Tokens   int    // of a context: prompt and answer together
	Ubatch   int    // tokens of a prompt that are computed at once
	Threads  int    // per context
}

// An Engine is a model and the contexts that answer with it, each of them one
// request at a time.
type Engine struct {
	Model *Model
	Name  string
	Pool  native.Pool // where calls of Answer are made

	// idle has the contexts that nobody uses. There are as many as the pool has
	// places, so who is inside the pool finds one.
	idle     chan *Context
	contexts []*Context
}

// NewEngine loads llama.cpp and the model. Close ends what it began.
func NewEngine(o Options) (*Engine, error) {
	if err := Open(o.Library); err != nil {
		return nil, err
	}
	m, err := load(o)
	if err != nil {
		return nil, err
	}
	e := &Engine{Model: m, Name: "random", idle: make(chan *Context, o.Contexts)}
	if o.Model != "" {
		e.Name = strings.TrimSuffix(filepath.Base(o.Model), ".gguf")
	}
	e.Pool.Name, e.Pool.Size, e.Pool.Queue = "llama", o.Contexts, o.Queue
	for range o.Contexts {
		c, err := m.NewContext(o.Tokens, o.Ubatch, o.Threads)
		if err != nil {
			e.free()
			return nil, err
		}
		e.contexts = append(e.contexts, c)
		e.idle <- c
	}
	return e, nil
}

func load(o Options) (*Model, error) {
	if o.Model != "" {
		return Load(o.Model)
	}
	f, err := os.CreateTemp("", "hangup-*.gguf")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // llama.cpp has mapped it, or copied it
	if err := errors.Join(gguf.WriteRandom(f, o.Seed), f.Close()); err != nil {
		return nil, err
	}
	return Load(f.Name())
}

// Size is how many tokens a prompt and its answer may have together.
func (e *Engine) Size() int { return e.contexts[0].Size() }

// Close waits until ctx is done for the answers under way, cancels them, and
// frees contexts and model. If some do not end even so, nothing is freed, as C
// still uses it, and the error says who they are.
func (e *Engine) Close(ctx context.Context) error {
	if err := e.Pool.Close(ctx); err != nil {
		return err
	}
	e.free()
	return nil
}

func (e *Engine) free() {
	for _, c := range e.contexts {
		c.Free()
	}
	e.Model.Free()
}
