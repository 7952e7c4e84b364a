//go:build linux && cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hangup-go/hangup/bench/internal/client"
	"github.com/hangup-go/hangup/bench/internal/report"
	"github.com/hangup-go/hangup/bench/internal/result"
	"github.com/hangup-go/hangup/bench/internal/suite"
)

func main() {
	if client.IsChild() {
		client.Main()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	if err := run(ctx, o); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted: nothing is written")
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does what the options say. Files are written last, if nothing failed.
func run(ctx context.Context, o *options) error {
	if o.out != "" {
		if err := result.CheckDir(o.out); err != nil {
			return fmt.Errorf("-out: %w", err)
		}
	}
	res, err := o.results(ctx)
	if err != nil {
		return err
	}
	if err := report.Text(os.Stdout, res); err != nil {
		return err
	}
	return o.write(res)
}

// results are a file's, or those of a run.
func (o *options) results(ctx context.Context) (*result.Results, error) {
	if o.from != "" {
		return result.Read(o.from)
	}
	plan := suite.Full()
	if o.quick {
		plan = suite.Quick()
	}
	p := newProgress(os.Stderr)
	defer p.end()
	return suite.Run(ctx, plan, p)
}

func (o *options) write(res *result.Results) error {
	if o.out == "" {
		return nil
	}
	files := result.Files{}
	var err error
	if files["results.json"], err = res.JSON(); err != nil {
		return err
	}
	if err := files.Write(o.out); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "written to %s: %s\n", o.out, "results.json")
	return nil
}
