// Package sqlitedb is a read-only SQLite database in memory, filled at start
// from a seed, whose queries stop when a word that C can read is set.
package sqlitedb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hangup-go/hangup/native"
)

// Options say how a Store is made. The zero value is a good one.
type Options struct {
	Seed  uint64 // of the generator; the same seed gives the same tables
	Conns int    // connections, so queries that run at once; 0 means 4

	// PollEvery is how many instructions of SQLite's virtual machine pass
	// between two looks at the flag; 0 means 1000, which takes about 20 µs.
	PollEvery int
}

// A Store is the database and its connections. Each connection is used by one
// call at a time; who finds none idle waits in line.
type Store struct {
	idle   chan *Conn
	conns  int
	queued atomic.Int64
	close  sync.Once
}

// databases numbers the in-memory databases of the process, which share one
// name space.
var databases atomic.Uint64

// Open fills a new database and opens its connections.
func Open(o Options) (*Store, error) {
	if o.Conns <= 0 {
		o.Conns = 4
	}
	if o.PollEvery <= 0 {
		o.PollEvery = 1000
	}
	// The memdb file system keeps one database that several connections can
	// read at once. A shared cache would not do: its lock is held while a
	// statement runs, so one client's long query would block all others, in a
	// mutex, where no flag is read.
	dsn := fmt.Sprintf("file:/hangup-%d?vfs=memdb&_mutex=no", databases.Add(1))
	s := &Store{idle: make(chan *Conn, o.Conns)}
	for i := range o.Conns {
		c, err := connect(dsn, o, i == 0)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.idle <- c
		s.conns++
	}
	return s, nil
}

func connect(dsn string, o Options, first bool) (*Conn, error) {
	sc, h, err := open(dsn)
	if err != nil {
		return nil, err
	}
	if first {
		err = fill(sc, o.Seed)
	}
	if err == nil {
		err = restrict(sc)
	}
	if err != nil {
		return nil, errors.Join(err, sc.Close())
	}
	return &Conn{conn: sc, handle: h, every: o.PollEvery}, nil
}

// Acquire waits until a connection is idle and lends it; the caller gives it
// back with Release. When ctx is done before that, the error is a *native.Error
// with ctx's cause, as if the call itself had been cancelled before it started.
func (s *Store) Acquire(ctx context.Context) (*Conn, error) {
	select {
	case c := <-s.idle:
		return c, nil
	default:
	}
	s.queued.Add(1)
	defer s.queued.Add(-1)
	select {
	case c := <-s.idle:
		return c, nil // if ctx is done as well, native.Do sees it and stays out of C
	case <-ctx.Done():
		return nil, &native.Error{Cause: context.Cause(ctx)}
	}
}

// Release gives back a connection that no call uses any more.
func (s *Store) Release(c *Conn) { s.idle <- c }

// Queued is the number of callers waiting in Acquire.
func (s *Store) Queued() int64 { return s.queued.Load() }

// Close waits for every connection to be released, then closes them; with the
// last one the database is gone. No Acquire may follow.
func (s *Store) Close() error {
	var errs []error
	s.close.Do(func() {
		for range s.conns {
			errs = append(errs, (<-s.idle).conn.Close())
		}
	})
	return errors.Join(errs...)
}
