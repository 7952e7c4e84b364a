package sqlitedb

import (
	"slices"
	"strings"

	sqlite3 "github.com/mattn/go-sqlite3"
)

// maxValue bounds one string or blob. SQLite builds a value without looking at
// the flag, so this also bounds how late a stop can be.
const maxValue = 1 << 20

// restrict makes c answer questions and nothing else: what clients send can't
// change the tables, the connection, or files, nor leave anything behind for
// the connection's next user.
func restrict(c *sqlite3.SQLiteConn) error {
	for _, pragma := range []string{"query_only=1", "trusted_schema=0"} {
		if _, err := c.Exec("PRAGMA "+pragma, nil); err != nil {
			return err
		}
	}
	c.SetLimit(sqlite3.SQLITE_LIMIT_LENGTH, maxValue)
	c.SetLimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
	c.SetLimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100) // matching is exponential in its wildcards
	c.RegisterAuthorizer(authorize)
	return nil
}

// recursiveCTE is SQLITE_RECURSIVE, which go-sqlite3 leaves out.
const recursiveCTE = 33

var (
	readPragmas = []string{"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"}
	noFunctions = []string{"load_extension", "fts3_tokenizer"}
)

// authorize is asked while a statement is prepared, for each thing it does. What
// is not listed is refused: writes, ATTACH, VACUUM, transactions, settings.
func authorize(op int, arg1, arg2, _ string) int {
	ok := false
	switch op {
	case sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, recursiveCTE:
		ok = true
	case sqlite3.SQLITE_FUNCTION:
		ok = !slices.Contains(noFunctions, strings.ToLower(arg2))
	case sqlite3.SQLITE_PRAGMA:
		ok = slices.Contains(readPragmas, strings.ToLower(arg1))
	}
	if ok {
		return sqlite3.SQLITE_OK
	}
	return sqlite3.SQLITE_DENY
}
