package sqlitedb

// #cgo CFLAGS: -O2 -Wall -Wextra -Werror
// #include "hook.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// A handle is the sqlite3* behind a go-sqlite3 connection, which keeps it to
// itself. It is valid as long as the connection is open, and used by the
// goroutine that uses the connection.
type handle struct{ db *C.sqlite3 }

var watchOpens = sync.OnceValue(func() error {
	if rc := C.hangup_watch_opens(); rc != 0 {
		return fmt.Errorf("sqlite3_auto_extension: result code %d", rc)
	}
	return nil
})

// open opens a connection and catches its handle on the way: SQLite hands it to
// our automatic extension on the thread that opens, which is why the goroutine
// must not change threads in between.
//
// An SQL function that returns the handle would do as well, but clients could
// call it.
func open(dsn string) (*sqlite3.SQLiteConn, handle, error) {
	if err := watchOpens(); err != nil {
		return nil, handle{}, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	C.hangup_take_opened()
	c, err := new(sqlite3.SQLiteDriver).Open(dsn)
	if err != nil {
		return nil, handle{}, err
	}
	h := handle{C.hangup_take_opened()}
	if h.db == nil {
		c.Close()
		return nil, handle{}, errors.New("sqlitedb: the connection's handle did not show up")
	}
	return c.(*sqlite3.SQLiteConn), h, nil
}

// arm makes SQLite read flag after every so many instructions of its virtual
// machine. It calls native.PollInt, which is C: no poll enters Go.
func (h handle) arm(flag cancel.Flag, every int) {
	C.hangup_arm(h.db, C.int(every), C.hangup_poll(native.PollInt()), flag.Pointer())
}

func (h handle) disarm() { C.hangup_disarm(h.db) }
