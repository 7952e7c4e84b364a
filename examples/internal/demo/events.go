package demo

import (
	"sync"
	"time"

	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/httpwire"
)

// Events collects what a server says of its requests, by their ids.
type Events struct {
	mu    sync.Mutex
	calls map[string]*Call
	left  map[string]int // disconnect callbacks
}

// A Call is one native call to wait for.
type Call struct {
	Entered  chan struct{} // closed when it is about to enter C
	Began    chan struct{} // closed when C has something of the answer
	Returned chan Return   // receives one value when C has returned
}

// A Return says when C returned, and with what.
type Return struct {
	At  time.Time
	Err error
}

// NewEvents returns an Events whose Trace is to be given to the server.
func NewEvents() *Events {
	return &Events{calls: make(map[string]*Call), left: make(map[string]int)}
}

// Expect says that the call of the request with this id is to be waited for. It
// comes before the request.
func (e *Events) Expect(id string) *Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := &Call{make(chan struct{}), make(chan struct{}), make(chan Return, 1)}
	e.calls[id] = c
	return c
}

// Callbacks is how many disconnect callbacks have started for a request.
func (e *Events) Callbacks(id string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.left[id]
}

// Trace is what the server reports to.
func (e *Events) Trace() serve.Trace {
	return serve.Trace{Entered: e.entered, Began: e.began, Returned: e.returned, Left: e.hasLeft}
}

func (e *Events) entered(id string) {
	if c := e.call(id); c != nil {
		close(c.Entered)
	}
}

func (e *Events) began(id string) {
	if c := e.call(id); c != nil {
		select {
		case <-c.Began: // it goes on; one goroutine says so
		default:
			close(c.Began)
		}
	}
}

func (e *Events) returned(id string, err error) {
	at := time.Now()
	if c := e.call(id); c != nil {
		c.Returned <- Return{at, err}
	}
}

func (e *Events) hasLeft(id string, _ *httpwire.Disconnect) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left[id]++
}

func (e *Events) call(id string) *Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[id]
}
