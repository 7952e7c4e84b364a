//go:build linux && cgo

package main

import (
	"flag"
	"fmt"
	"io"
)

// options are what the command line says.
type options struct {
	quick bool
	out   string
	from  string
}

const usage = `bench measures how fast a client's hang-up stops native code.

	go -C bench run . [flags]

`

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprint(stderr, usage); f.PrintDefaults() }
	f.BoolVar(&o.quick, "quick", false, "a look at everything, in under a minute, too short to quote; writes nothing unless -out is given")
	f.StringVar(&o.out, "out", "results", "the `directory` that the results are written to; \"\" writes nothing")
	f.StringVar(&o.from, "from", "", "measure nothing: show the results of a `file`, and write nothing unless -out is given")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	f.Visit(func(f *flag.Flag) { set[f.Name] = true })
	err := o.check(f.Args())
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return nil, err
	}
	if (o.quick || o.from != "") && !set["out"] {
		o.out = ""
	}
	return o, nil
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unknown argument %q: flags begin with a dash", rest[0])
	case o.quick && o.from != "":
		return fmt.Errorf("-quick measures, and -from does not: give one of them")
	}
	return nil
}
