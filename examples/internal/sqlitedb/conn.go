package sqlitedb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/hangup-go/hangup/cancel"
)

// A Conn is one connection. It is not safe for concurrent use.
type Conn struct {
	conn   *sqlite3.SQLiteConn
	handle handle
	every  int
}

// Limits bound an answer. Zero means none.
type Limits struct {
	Rows  int
	Bytes int // of text and blobs, 8 for anything else
}

// A Result holds the rows of a query: nil, int64, float64, string or []byte.
type Result struct {
	Columns   []string
	Rows      [][]any
	Truncated bool // there were more rows than the limits allow
}

// ErrNoStatement says that the SQL held nothing to run.
var ErrNoStatement = errors.New("no SQL statement")

// Query runs sql on the calling goroutine, in C, until it is done or flag is
// set; then the error is SQLite's own, sqlite3.ErrInterrupt. Of several
// statements the rows of the last one are returned.
//
// SQLite reads flag only while Query runs. A cancel that comes later finds
// nobody who reads that word, so it can't interrupt the next query on the
// connection, and the word may be given to another call.
func (c *Conn) Query(flag cancel.Flag, sql string, limits Limits) (*Result, error) {
	c.handle.arm(flag, c.every)
	defer c.handle.disarm() // after rows.Close, which may still run C code
	rows, err := c.conn.QueryContext(context.Background(), sql, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if len(rows.Columns()) == 0 {
		return nil, ErrNoStatement
	}
	return read(rows, limits)
}

func read(rows driver.Rows, limits Limits) (*Result, error) {
	res := &Result{Columns: rows.Columns(), Rows: [][]any{}}
	row := make([]driver.Value, len(res.Columns))
	for size := 0; ; {
		if err := rows.Next(row); err == io.EOF {
			return res, nil
		} else if err != nil {
			return nil, err
		}
		size += sizeOf(row)
		if over(len(res.Rows)+1, limits.Rows) || over(size, limits.Bytes) {
			res.Truncated = true
			return res, nil
		}
		res.Rows = append(res.Rows, values(row))
	}
}

func over(n, limit int) bool { return limit > 0 && n > limit }

func sizeOf(row []driver.Value) int {
	n := 0
	for _, v := range row {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		default:
			n += 8
		}
	}
	return n
}

func values(row []driver.Value) []any {
	out := make([]any, len(row))
	for i, v := range row {
		out[i] = v
	}
	return out
}
