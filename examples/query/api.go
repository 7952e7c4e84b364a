//go:build cgo

package main

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/examples/internal/spin"
	"github.com/hangup-go/hangup/examples/internal/sqlitedb"
	"github.com/hangup-go/hangup/native"
)

// maxSQL bounds a statement.
const maxSQL = 1 << 20

// api is the query server's own endpoints.
type api struct {
	store  *sqlitedb.Store
	limits sqlitedb.Limits
	trace  serve.Trace
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/query", a.query)
	mux.Handle("/spin", spin.Handler(a.trace))
	return mux
}

// answer is what a query that ran is answered with. Integers are exact; blobs
// are base64; infinities, which JSON lacks, are the strings Infinity and -Infinity.
type answer struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated"` // there are more rows than -max-rows, or than fit in 16 MiB
	Millis    float64  `json:"ms"`
}

func (a *api) query(w http.ResponseWriter, r *http.Request) {
	if serve.NotAllowed(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	sql, ok := statement(w, r)
	if !ok {
		return
	}
	start := time.Now()
	res, err := a.run(r, sql)
	var stopped *native.Error
	switch {
	case err == nil:
		ms := float64(time.Since(start).Microseconds()) / 1000
		serve.JSON(w, http.StatusOK, answer{res.Columns, jsonable(res.Rows), res.Truncated, ms})
	case errors.As(err, &stopped):
		serve.Stopped(w, r, err)
	default:
		serve.Error(w, http.StatusBadRequest, err.Error())
	}
}

// run waits for a connection and makes the query one native call, which ends
// when r's client leaves.
func (a *api) run(r *http.Request, sql string) (*sqlitedb.Result, error) {
	conn, err := a.store.Acquire(r.Context())
	if err != nil {
		return nil, err
	}
	defer a.store.Release(conn)
	return native.Do(r.Context(), func(c *native.Call) (*sqlitedb.Result, error) {
		a.trace.Enter(r)
		res, err := conn.Query(c.Flag(), sql, a.limits)
		a.trace.Return(r, err)
		return res, err
	})
}

// statement finds the SQL: the sql parameter if there is one (then the body is
// not read), else the body. If there is none it answers, and reports false.
func statement(w http.ResponseWriter, r *http.Request) (string, bool) {
	sql := r.URL.Query().Get("sql")
	if r.Method == http.MethodPost && !r.URL.Query().Has("sql") {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSQL))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			serve.Error(w, http.StatusRequestEntityTooLarge, "the SQL is longer than "+strconv.Itoa(maxSQL)+" bytes")
			return "", false
		case err != nil:
			serve.Error(w, http.StatusBadRequest, "reading the body: "+err.Error())
			return "", false
		}
		sql = string(body)
	}
	if strings.TrimSpace(sql) == "" {
		serve.Error(w, http.StatusBadRequest, sqlitedb.ErrNoStatement.Error())
		return "", false
	}
	return sql, true
}

// jsonable replaces, in place, the floats that JSON has no words for.
func jsonable(rows [][]any) [][]any {
	for _, row := range rows {
		for i, v := range row {
			if f, ok := v.(float64); ok && math.IsInf(f, 0) {
				row[i] = strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+") + "inity"
			}
		}
	}
	return rows
}
