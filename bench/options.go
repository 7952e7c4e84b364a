//go:build linux && cgo

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// options are what the command line says.
type options struct {
	quick bool
	out   string
	from  string
	span  time.Duration

	compare string
	readme  string // the file; "" if it is not to be written
}

const usage = `bench measures how fast a client's hang-up stops native code.

	go -C bench run . [flags]

Because of -C paths begin in bench: -from results/results.json is bench/results/results.json.

`

// parse reads the command line. For -help it prints the usage to stdout and returns flag.ErrHelp.
func parse(args []string, stdout io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard) // the flag package prints the whole usage for a typo
	f.BoolVar(&o.quick, "quick", false, "a look at everything, in under a minute, too short to quote; writes nothing unless -out is given")
	f.StringVar(&o.out, "out", "results", "the `directory` that the results are written to: new, empty or of an earlier run; \"\" writes nothing")
	f.DurationVar(&o.span, "for", 0, "measure for about this `duration`, instead of some fourteen minutes: fewer samples in less time")
	f.StringVar(&o.from, "from", "", "measure nothing: show the results of a `file`, and write nothing unless -out is given")
	f.StringVar(&o.compare, "compare", "", "compare with the results of a `file`, as benchstat does")
	readme := f.Bool("readme", false, "put the figures into ../README.md as well")
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		f.SetOutput(stdout)
		fmt.Fprint(stdout, usage)
		f.PrintDefaults()
	}
	if err != nil {
		return nil, err
	}
	if err := o.check(f.Args()); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	f.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if (o.quick || o.from != "") && !set["out"] {
		o.out = ""
	}
	if *readme {
		if o.out == "" {
			return nil, errors.New("-readme shows the plots of -out: give that too")
		}
		o.readme = "../README.md"
	}
	for _, path := range []*string{&o.out, &o.from, &o.compare, &o.readme} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil { // errors shall say where they looked
			return nil, err
		}
	}
	return o, nil
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q: flags begin with a dash", rest[0])
	case o.span != 0 && (o.quick || o.from != ""):
		return fmt.Errorf("-for is about a full run: not with -quick or -from")
	case o.span != 0 && o.span < time.Minute:
		return fmt.Errorf("-for %v: a full run takes a minute at least; -quick is shorter", o.span)
	case o.quick && o.from != "":
		return fmt.Errorf("-quick measures, and -from does not: give one of them")
	}
	return nil
}
