package sqlitedb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
	"github.com/hangup-go/hangup/native"
)

const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`

func openStore(t *testing.T, o sqlitedb.Options) *sqlitedb.Store {
	t.Helper()
	s, err := sqlitedb.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func query(ctx context.Context, s *sqlitedb.Store, sql string, l sqlitedb.Limits) (*sqlitedb.Result, error) {
	c, err := s.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Release(c)
	return native.Do(ctx, func(call *native.Call) (*sqlitedb.Result, error) {
		return c.Query(call.Flag(), sql, l)
	})
}

func mustQuery(t *testing.T, s *sqlitedb.Store, sql string) [][]any {
	t.Helper()
	r, err := query(t.Context(), s, sql, sqlitedb.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r.Rows
}

func TestOpen_sameSeedSameTables(t *testing.T) {
	const sum = `SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders), (SELECT count(*) FROM items),
		(SELECT round(sum(price * quantity * id), 2) FROM items), (SELECT count(note) FROM customers)`
	a, b, other := openStore(t, sqlitedb.Options{Seed: 7}), openStore(t, sqlitedb.Options{Seed: 7}), openStore(t, sqlitedb.Options{Seed: 8})
	ra, rb, ro := mustQuery(t, a, sum)[0], mustQuery(t, b, sum)[0], mustQuery(t, other, sum)[0]
	t.Log(ra)
	if diff := cmp.Diff(ra, rb); diff != "" {
		t.Errorf("two tables from the same seed differ:\n%s", diff)
	}
	if ra[0] != int64(sqlitedb.Customers) || ra[1] != int64(sqlitedb.Orders) || ra[2] != int64(sqlitedb.Items) {
		t.Errorf("rows: %v", ra[:3])
	}
	if ra[3] == ro[3] {
		t.Error("another seed gave the same items")
	}
}

// The cancel is seen inside C, and the error carries SQLite's own.
func TestQuery_cancelStops(t *testing.T) {
	s := openStore(t, sqlitedb.Options{Conns: 1})
	ctx, stop := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("enough"))
	defer stop()
	_, err := query(ctx, s, endless, sqlitedb.Limits{})
	var se sqlite3.Error
	if !errors.As(err, &se) || se.Code != sqlite3.ErrInterrupt {
		t.Fatalf("error %v, want SQLite's interrupt inside", err)
	}
	if !strings.Contains(err.Error(), "enough") {
		t.Errorf("error %v without the cause", err)
	}
	if rows := mustQuery(t, s, "SELECT 1"); rows[0][0] != int64(1) {
		t.Errorf("the next query on the connection: %v", rows)
	}
}

// Two connections compute at the same time: no lock is held while a statement runs.
func TestQuery_oneDoesNotBlockAnother(t *testing.T) {
	s := openStore(t, sqlitedb.Options{Conns: 2})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	entered := make(chan struct{})
	go func() {
		c, err := s.Acquire(ctx)
		if err != nil {
			ended <- err
			return
		}
		defer s.Release(c)
		_, err = native.Do(ctx, func(call *native.Call) (*sqlitedb.Result, error) {
			close(entered)
			return c.Query(call.Flag(), "SELECT count(*) FROM items a, items b WHERE a.price < b.price", sqlitedb.Limits{})
		})
		ended <- err
	}()
	<-entered
	mustQuery(t, s, "SELECT count(*) FROM items")
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the long query ended with %v", err)
	}
}

// N1: who leaves the queue never reaches C.
func TestAcquire_leavingTheQueue(t *testing.T) {
	s := openStore(t, sqlitedb.Options{Conns: 1})
	c, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	ended := make(chan error, 1)
	go func() {
		_, err := query(ctx, s, "SELECT 1", sqlitedb.Limits{})
		ended <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); s.Queued() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nobody queued within 10 s")
		}
	}
	before := native.ReadStats().Started
	stop(gone)
	err = <-ended
	var ne *native.Error
	if !errors.As(err, &ne) || ne.Err != nil || !errors.Is(err, gone) {
		t.Errorf("error %#v, want a native.Error for a call never made", err)
	}
	if n := native.ReadStats().Started - before; n != 0 {
		t.Errorf("%d native calls started", n)
	}
	s.Release(c)
	if s.Queued() != 0 {
		t.Errorf("%d still queued", s.Queued())
	}
}

func TestQuery_values(t *testing.T) {
	s := openStore(t, sqlitedb.Options{})
	r, err := query(t.Context(), s, `SELECT NULL AS n, 42 AS i, 1.5 AS f, 'tëxt' AS t, x'00ff' AS b`, sqlitedb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Columns, " "); got != "n i f t b" {
		t.Errorf("columns %s", got)
	}
	row := r.Rows[0]
	if row[0] != nil || row[1] != int64(42) || row[2] != 1.5 || row[3] != "tëxt" || string(row[4].([]byte)) != "\x00\xff" {
		t.Errorf("row %#v", row)
	}
}

func TestQuery_limits(t *testing.T) {
	s := openStore(t, sqlitedb.Options{})
	for _, c := range []struct {
		limits    sqlitedb.Limits
		rows      int
		truncated bool
	}{
		{sqlitedb.Limits{}, 1000, false},
		{sqlitedb.Limits{Rows: 1000}, 1000, false},
		{sqlitedb.Limits{Rows: 999}, 999, true},
		{sqlitedb.Limits{Bytes: 80}, 10, true},
	} {
		r, err := query(t.Context(), s, "SELECT id FROM items LIMIT 1000", c.limits)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Rows) != c.rows || r.Truncated != c.truncated {
			t.Errorf("%+v: %d rows, truncated %v", c.limits, len(r.Rows), r.Truncated)
		}
	}
}

// What one client sends can't harm another's data, the connection or files.
func TestQuery_refused(t *testing.T) {
	s := openStore(t, sqlitedb.Options{Conns: 1})
	for _, sql := range []string{
		"DROP TABLE items", "DELETE FROM items", "INSERT INTO customers VALUES (0, '', '', '')", "UPDATE orders SET paid = 1",
		"CREATE TABLE t (a)", "CREATE TEMP TABLE t (a)", "CREATE VIEW v AS SELECT 1",
		"ATTACH '/tmp/x' AS x", "VACUUM INTO '/tmp/x'", "VACUUM", "REINDEX", "ANALYZE",
		"BEGIN", "SAVEPOINT s", "PRAGMA query_only = 0", "PRAGMA writable_schema = 1", "PRAGMA journal_mode",
		"SELECT load_extension('/tmp/x.so')", "SELECT Load_Extension('/tmp/x.so', 'y')",
		"SELECT hex(randomblob(100000000))",
		"SELECT ?", "SELEC 1", "SELECT 1; DROP TABLE items",
	} {
		if r, err := query(t.Context(), s, sql, sqlitedb.Limits{}); err == nil {
			t.Errorf("%s: accepted: %v", sql, r)
		} else {
			t.Logf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{"", ";", "-- nothing", " /* x */ ; "} {
		if _, err := query(t.Context(), s, sql, sqlitedb.Limits{}); !errors.Is(err, sqlitedb.ErrNoStatement) {
			t.Errorf("%q: %v, want ErrNoStatement", sql, err)
		}
	}
	if n := mustQuery(t, s, "SELECT count(*) FROM items")[0][0]; n != int64(sqlitedb.Items) {
		t.Errorf("%v items left", n)
	}
	for _, sql := range []string{"PRAGMA table_info(items)", "SELECT name FROM pragma_table_info('items')", "EXPLAIN QUERY PLAN SELECT * FROM items", "SELECT name FROM sqlite_schema"} {
		if len(mustQuery(t, s, sql)) == 0 {
			t.Errorf("%s: no rows", sql)
		}
	}
}

// A word that is set after the query has returned interrupts nothing, whoever
// uses the connection next.
func TestQuery_lateCancelInterruptsNothing(t *testing.T) {
	s := openStore(t, sqlitedb.Options{Conns: 1, PollEvery: 1})
	c, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release(c)
	const sql = "SELECT count(*) FROM orders"
	var late, live cancel.Token
	defer late.Close()
	defer live.Close()
	if _, err := c.Query(late.Flag(), sql, sqlitedb.Limits{}); err != nil {
		t.Fatal(err)
	}
	late.Cancel(nil)
	if err := c.Unarmed(sql); err != nil {
		t.Errorf("the connection still reads the word: %v", err)
	}
	if _, err := c.Query(live.Flag(), sql, sqlitedb.Limits{}); err != nil {
		t.Errorf("the next query: %v", err)
	}
}
