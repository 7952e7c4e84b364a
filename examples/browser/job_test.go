//go:build cgo

package browser_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A job is a native call for one request, and what became of both.
type job struct {
	addr  string                    // the client's
	began chan struct{}             // C is running
	c     chan error                // C has returned, with this
	fired chan *httpwire.Disconnect // room for more than the one that may come
	ended chan error                // what the handler has got

	sending bool // the client may leave while there is something for it to read
}

func newJob() *job {
	return &job{
		began: make(chan struct{}, 1), c: make(chan error, 1),
		fired: make(chan *httpwire.Disconnect, 4), ended: make(chan error, 1),
	}
}

// serve has do serve a request, once.
func (j *job) serve(t *testing.T, do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		j.addr = r.RemoteAddr
		if _, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { j.fired <- d }); err != nil {
			t.Error(err)
		}
		j.ended <- do(w, r)
	}
}

// An activity is what C is at when the client leaves.
type activity struct {
	name string
	do   func(*job, http.ResponseWriter, *http.Request) error
	sent bool // the client has got something
}

var activities = []activity{
	{"before the answer", (*job).wait, false},
	{"between two tokens", (*job).pause, true},
	{"sending", (*job).flood, true},
}

// wait answers nothing before C has returned.
func (j *job) wait(_ http.ResponseWriter, r *http.Request) error {
	_, err := native.Do(r.Context(), func(c *native.Call) (struct{}, error) { return struct{}{}, j.spin(c) })
	return err
}

// pause sends one event, and then C computes.
func (j *job) pause(w http.ResponseWriter, r *http.Request) error {
	return pump(w, r, func(c *native.Call, send func(httpwire.Event) bool) error {
		send(httpwire.Event{Data: "first"})
		return j.spin(c)
	})
}

// flood sends large events as fast as the client takes them, but leaves a page time for
// other things.
func (j *job) flood(w http.ResponseWriter, r *http.Request) error {
	return pump(w, r, func(c *native.Call, send func(httpwire.Event) bool) error {
		began := sync.OnceFunc(func() { j.began <- struct{}{} })
		err := nativetest.Tokens(c.Flag().Pointer(), 1<<40, time.Millisecond, func(tok string) bool {
			began()
			return send(httpwire.Event{Data: strings.Repeat(tok, 1<<10)})
		}, nil)
		j.c <- err
		return err
	})
}

// spin computes in C until the flag is set.
func (j *job) spin(c *native.Call) error {
	in := new(nativetest.Inside)
	go func() { in.Wait(); j.began <- struct{}{} }()
	err := nativetest.Spin(c.Flag().Pointer(), 2*bound, in)
	j.c <- err
	return err
}

func pump(w http.ResponseWriter, r *http.Request, fn func(*native.Call, func(httpwire.Event) bool) error) error {
	s, err := httpwire.NewEventStream(w, r, nil)
	if err != nil {
		return err
	}
	return s.Pump(native.Stream(r.Context(), nil, 4, fn))
}
