package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
)

type options struct {
	serve  *serve.Options
	store  sqlitedb.Options
	limits sqlitedb.Limits
	demo   bool
	size   demo.Size
}

// parse reads the command line. For -help it prints the usage to stderr and
// returns flag.ErrHelp.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{limits: sqlitedb.Limits{Bytes: 16 << 20}}
	fs := flag.NewFlagSet("query", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the flag package prints the whole usage for a typo
	fs.Usage = func() {}
	o.serve = serve.Flags(fs)
	fs.IntVar(&o.store.Conns, "conns", 4, "SQLite connections: queries that run at once, the others wait")
	fs.Uint64Var(&o.store.Seed, "seed", 1, "seed of the generated tables")
	fs.IntVar(&o.limits.Rows, "max-rows", 10_000, "rows in an answer; what is beyond is left out and the answer says so")
	fs.BoolVar(&o.demo, "demo", false, "start a server on free ports, hang up on it over each protocol, print a table")
	fs.IntVar(&o.size.Requests, "demo-requests", 1000, "requests per protocol that complete")
	fs.IntVar(&o.size.HangUps, "demo-hangups", 100, "requests per protocol whose client hangs up")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(stderr)
			fmt.Fprintln(stderr, "usage: query [flags]")
			fs.PrintDefaults()
		}
		return nil, err
	}
	return o, o.check(fs.Args())
}

func (o *options) check(extra []string) error {
	switch {
	case len(extra) > 0:
		return fmt.Errorf("unexpected argument %q", extra[0])
	case o.store.Conns < 1:
		return errors.New("-conns must be at least 1")
	case o.limits.Rows < 1:
		return errors.New("-max-rows must be at least 1")
	case o.size.Requests < 1 || o.size.HangUps < 1:
		return errors.New("-demo-requests and -demo-hangups must be at least 1")
	}
	return o.serve.Check()
}
