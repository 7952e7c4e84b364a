package sqlitedb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A query stops at whatever moment it is cancelled, and leaves its connection as it was.
func TestQuery_conforms(t *testing.T) {
	nativetest.TestInterrupter(t, nativetest.Binding[*sqlitedb.Store]{
		New: func() (*sqlitedb.Store, error) { return sqlitedb.Open(sqlitedb.Options{Conns: 1}) },
		Run: func(ctx context.Context, s *sqlitedb.Store) error {
			_, err := query(ctx, s, endless, sqlitedb.Limits{})
			return err
		},
		Check: func(ctx context.Context, s *sqlitedb.Store) error {
			r, err := query(ctx, s, `SELECT count(*) FROM customers`, sqlitedb.Limits{})
			if err == nil && r.Rows[0][0] != int64(sqlitedb.Customers) {
				err = fmt.Errorf("%v customers", r.Rows[0][0])
			}
			return err
		},
		Close:  (*sqlitedb.Store).Close,
		Rounds: 40, // a database is filled for each round beside Close
	})
}
