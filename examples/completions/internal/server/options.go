package server

import (
	"errors"
	"io"

	"github.com/hangup-go/hangup/examples/completions/internal/gguf"
	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/program"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

type options struct {
	serve  *serve.Options
	demo   *demo.Options
	engine llama.Options
}

// parse reads the command line. For -help it prints the usage to stderr and
// returns flag.ErrHelp.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	fs := program.Flags("completions")
	o.serve = serve.Flags(fs)
	o.demo = demo.Flags(fs, demo.Size{Requests: 100, HangUps: 50})
	e := &o.engine
	fs.StringVar(&e.Library, "llama", "", "llama.cpp's shared `library`, or its directory (default: $"+llama.Variable+", or what ./fetch got)")
	fs.StringVar(&e.Model, "model", "", "GGUF `file` (default: random weights, made at start, whose text means nothing)")
	fs.Uint64Var(&e.Seed, "seed", 1, "seed of the random weights")
	fs.IntVar(&e.Contexts, "contexts", 2, "answers at once, the others wait")
	fs.IntVar(&e.Queue, "queue", 64, "requests that wait at most; the others get a 503")
	fs.IntVar(&e.Tokens, "tokens", gguf.Context, "size of a context: a prompt and its answer together")
	fs.IntVar(&e.Ubatch, "ubatch", 64, "tokens of a prompt that are computed at once: fewer stop sooner, more are faster")
	fs.IntVar(&e.Threads, "threads", 1, "threads of each context")
	if err := program.Parse(fs, args, stderr); err != nil {
		return nil, err
	}
	return o, o.check()
}

func (o *options) check() error {
	e := &o.engine
	for _, n := range []struct {
		flag  string
		value int
	}{{"-contexts", e.Contexts}, {"-queue", e.Queue}, {"-tokens", e.Tokens}, {"-ubatch", e.Ubatch}, {"-threads", e.Threads}} {
		if n.value < 1 {
			return errors.New(n.flag + " must be at least 1")
		}
	}
	return errors.Join(o.demo.Check(), o.serve.Check())
}
