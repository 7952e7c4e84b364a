//go:build linux && cgo

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
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
	os.Exit(program(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// program is main with an exit code: 1 for what went wrong, 2 for a wrong command line.
func program(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v (see bench -help)\n", err)
		return 2
	}
	if err := run(ctx, o); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted: nothing is written")
		}
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// run does what the options say. Files are written last, if nothing failed.
func run(ctx context.Context, o *options) error {
	if err := o.checkFiles(); err != nil {
		return err
	}
	var old *result.Results
	if o.compare != "" {
		var err error
		if old, err = result.Read(o.compare); err != nil {
			return fmt.Errorf("-compare: %w", err)
		}
	}
	res, err := o.results(ctx)
	if err != nil {
		return err
	}
	if err := report.Text(os.Stdout, res); err != nil {
		return err
	}
	if old != nil {
		if err := report.Compare(os.Stdout, old, res); err != nil {
			return err
		}
	}
	return o.write(res)
}

// checkFiles says before the run what could not be written after it.
func (o *options) checkFiles() error {
	if o.out == "" {
		return nil
	}
	if err := errors.Join(checkForeign(o.out), result.CheckDir(o.out)); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if o.readme == "" {
		return nil
	}
	b, err := os.ReadFile(o.readme)
	if err == nil {
		_, err = report.Splice(b, new(result.Results))
	}
	if err == nil {
		err = result.CheckDir(filepath.Dir(o.readme))
	}
	if err != nil {
		return fmt.Errorf("-readme: %w", err)
	}
	return nil
}

// checkForeign refuses to replace files that are no run's: a directory is new, empty, or has the page or the
// results of a run, and no others of these names. Pictures don't say whose they are.
func checkForeign(dir string) error {
	if files, _ := os.ReadDir(dir); len(files) == 0 {
		return nil
	}
	name, ours := filepath.Join(dir, "README.md"), false
	b, page := os.ReadFile(name)
	if page == nil && !report.IsPage(b) {
		page = fmt.Errorf("%s is not of a run of this program", name)
	}
	_, results := result.Read(filepath.Join(dir, "results.json"))
	for _, err := range []error{page, results} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("a file would be replaced: %w", err)
		}
		ours = ours || err == nil
	}
	if !ours {
		return fmt.Errorf("%s has files, and none is a run's README.md or results.json: give a new or empty directory", dir)
	}
	return nil
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
	if o.span != 0 {
		plan = plan.For(o.span)
	}
	p := newProgress(os.Stderr)
	defer p.end()
	return suite.Run(ctx, plan, p)
}

func (o *options) write(res *result.Results) error {
	if o.out == "" {
		return nil
	}
	files, err := report.Plots(res)
	if err != nil {
		return err
	}
	if files["results.json"], err = res.JSON(); err != nil {
		return err
	}
	files["README.md"] = report.Page(res)
	if o.readme != "" {
		old, err := os.ReadFile(o.readme)
		if err != nil {
			return err
		}
		new, err := report.Splice(old, res)
		if err != nil {
			return err
		}
		if err := (result.Files{filepath.Base(o.readme): new}).Write(filepath.Dir(o.readme)); err != nil {
			return err
		}
	}
	if err := files.Write(o.out); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "written to %s: %s\n", o.out, strings.Join(slices.Sorted(maps.Keys(files)), ", "))
	return nil
}
