package serve

import (
	"net/http"

	"github.com/hangup-go/hangup/httpwire"
)

// A Trace is told what becomes of requests, by their X-Request-Id, for programs
// that drive a server in their own process. Any of its functions may be nil;
// they are called on the goroutine concerned and must not block.
type Trace struct {
	Entered  func(id string)                         // the native call is about to enter C
	Began    func(id string)                         // C has something of the answer; called again as it gets more
	Returned func(id string, err error)              // C has returned
	Left     func(id string, d *httpwire.Disconnect) // the disconnect callback runs
}

// Enter, Begin and Return are called by handlers around C, on the native call's
// goroutine, and so are Trace's functions.
func (t Trace) Enter(r *http.Request) {
	if t.Entered != nil {
		t.Entered(id(r))
	}
}

func (t Trace) Begin(r *http.Request) {
	if t.Began != nil {
		t.Began(id(r))
	}
}

func (t Trace) Return(r *http.Request, err error) {
	if t.Returned != nil {
		t.Returned(id(r), err)
	}
}

func (t Trace) left(r *http.Request, d *httpwire.Disconnect) {
	if t.Left != nil {
		t.Left(id(r), d)
	}
}

func id(r *http.Request) string { return r.Header.Get("X-Request-Id") }
