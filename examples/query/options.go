//go:build cgo

package main

import (
	"errors"
	"io"

	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/program"
	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
)

type options struct {
	serve  *serve.Options
	demo   *demo.Options
	store  sqlitedb.Options
	limits sqlitedb.Limits
}

// parse reads the command line. For -help it prints the usage to stderr and
// returns flag.ErrHelp.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{limits: sqlitedb.Limits{Bytes: 16 << 20}}
	fs := program.Flags("query")
	o.serve = serve.Flags(fs)
	o.demo = demo.Flags(fs, demo.Size{Requests: 1000, HangUps: 100})
	fs.IntVar(&o.store.Conns, "conns", 4, "SQLite connections: queries that run at once, the others wait")
	fs.Uint64Var(&o.store.Seed, "seed", 1, "seed of the generated tables")
	fs.IntVar(&o.limits.Rows, "max-rows", 10_000, "rows in an answer; what is beyond is left out and the answer says so")
	if err := program.Parse(fs, args, stderr); err != nil {
		return nil, err
	}
	return o, o.check()
}

func (o *options) check() error {
	switch {
	case o.store.Conns < 1:
		return errors.New("-conns must be at least 1")
	case o.limits.Rows < 1:
		return errors.New("-max-rows must be at least 1")
	}
	return errors.Join(o.demo.Check(), o.serve.Check())
}
