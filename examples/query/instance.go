//go:build cgo

package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
)

// An instance is the server with its database.
type instance struct {
	*serve.Server
	store *sqlitedb.Store
}

// open binds the addresses and fills the database; Start or Run comes next.
func open(o *options, trace serve.Trace, log *slog.Logger) (*instance, error) {
	sockets, err := serve.Listen(o.serve) // first, as it fails soonest
	if err != nil {
		return nil, err
	}
	store, err := sqlitedb.Open(o.store)
	if err != nil {
		return nil, errors.Join(err, sockets.Close())
	}
	a := &api{store: store, limits: o.limits, trace: trace}
	srv, err := serve.New(sockets, serve.Config{Handler: a.routes(), Queued: store.Queued, Trace: trace, Log: log})
	if err != nil {
		return nil, errors.Join(err, sockets.Close(), store.Close())
	}
	return &instance{srv, store}, nil
}

// drain ends the server, then the database. With requests that do not return the
// database stays open: they may be reading it.
func (i *instance) drain(patience time.Duration) error {
	if err := i.Drain(patience); err != nil {
		return err
	}
	return i.store.Close()
}
