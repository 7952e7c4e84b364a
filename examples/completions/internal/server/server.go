// Package server is the completions example: an LLM server on llama.cpp whose
// computing stops when its client hangs up.
package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/internal/program"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

// Run is the program: see package program for its exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	return program.Run("completions", stderr, func() (program.Start, error) {
		o, err := parse(args, stderr)
		if err != nil {
			return nil, err
		}
		if o.demo.On {
			return func() error { return runDemo(o, stdout, stderr) }, nil
		}
		return func() error { return serveUntilSignal(o, stdout, stderr) }, nil
	})
}

func serveUntilSignal(o *options, stdout, stderr io.Writer) error {
	i, err := open(o, serve.Trace{}, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	if err := i.Run(stdout, o.serve.Drain); err != nil {
		return err
	}
	return i.close()
}

// An instance is the server with its engine.
type instance struct {
	*serve.Server
	engine *llama.Engine
}

// open binds the addresses and loads the model; Start or Run comes next.
func open(o *options, trace serve.Trace, log *slog.Logger) (*instance, error) {
	sockets, err := serve.Listen(o.serve) // first, as it fails soonest
	if err != nil {
		return nil, err
	}
	engine, err := llama.NewEngine(o.engine)
	if err != nil {
		return nil, errors.Join(err, sockets.Close())
	}
	i := &instance{engine: engine}
	a := &api{engine: engine, trace: trace, started: time.Now()}
	i.Server, err = serve.New(sockets, serve.Config{Handler: a.routes(), Error: envelope, Stats: engine.Pool.Stats, Trace: trace, Log: log})
	if err != nil {
		return nil, errors.Join(err, sockets.Close(), i.close())
	}
	return i, nil
}

// drain ends the server, then the engine. With requests that do not return the
// engine stays: they may be using it.
func (i *instance) drain(patience time.Duration) error {
	if err := i.Drain(patience); err != nil {
		return err
	}
	return i.close()
}

// close frees the engine. No request is left that uses it.
func (i *instance) close() error { return i.engine.Close(context.Background()) }
