// Package stress has the normal ways in which a request ends, at random, for the
// stress tests of httpwire and h3: in none of them does the client leave first.
package stress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

// A Handler serves requests made by Request, each of which names its ending and
// its manner of registering in its path. It counts every callback that starts.
type Handler struct {
	Entered, Fired, Refused atomic.Int64
	First                   atomic.Pointer[string] // the first callback, for the report
	by                      [32]atomic.Int64       // requests by ending
	timeout                 http.Handler
}

// NewHandler returns a Handler.
func NewHandler() *Handler {
	h := &Handler{}
	h.timeout = http.TimeoutHandler(http.HandlerFunc(h.slow), time.Millisecond, "too late")
	return h
}

// Manners of registering.
const (
	early = iota
	late
	never
	many
	stopped
	contextOnly
	flag
	manners
)

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ending, manner int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/%d", &ending, &manner); err != nil {
		http.NotFound(w, r)
		return
	}
	h.Entered.Add(1)
	h.by[ending].Add(1)
	e := &endings[ending]
	told := func(d *httpwire.Disconnect) {
		h.Fired.Add(1)
		s := fmt.Sprintf("%s, manner %d: %v (%v)", e.name, manner, d, d.Source)
		h.First.CompareAndSwap(nil, &s)
	}
	switch manner {
	case early:
		h.register(r, told)
	case late:
		defer func() { h.register(r, told) }() // in a panic too
	case many:
		for range 5 {
			h.register(r, told)
		}
	case stopped:
		reg := h.register(r, told)
		defer reg.Stop()
	case contextOnly:
		stop := context.AfterFunc(r.Context(), func() {
			// The middleware completes the watch before the context is done.
			var d *httpwire.Disconnect
			if errors.As(context.Cause(r.Context()), &d) {
				told(d)
			}
		})
		_ = stop
	case flag:
		if t := cancel.FromContext(r.Context()); t != nil {
			_ = t.Flag().IsSet()
		}
		h.register(r, told)
	}
	if e.timeout {
		h.timeout.ServeHTTP(w, r)
		return
	}
	e.serve(w, r)
}

func (h *Handler) register(r *http.Request, told func(*httpwire.Disconnect)) cancel.Registration {
	reg, err := httpwire.OnDisconnect(r, told)
	if err != nil {
		h.Refused.Add(1)
	}
	return reg
}

// slow is what http.TimeoutHandler runs: it may or may not be in time.
func (h *Handler) slow(w http.ResponseWriter, r *http.Request) {
	h.register(r, func(*httpwire.Disconnect) { h.Fired.Add(1) })
	if rand.IntN(2) == 0 {
		<-r.Context().Done()
	}
	_, _ = io.WriteString(w, "done")
}

// Counts returns how many requests there were of each ending.
func (h *Handler) Counts() string {
	var b strings.Builder
	for i := range endings {
		fmt.Fprintf(&b, "%s %d, ", endings[i].name, h.by[i].Load())
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// Request makes a request with a random ending, for a server of that protocol,
// at base ("https://127.0.0.1:443").
func Request(proto httpwire.Protocol, base string) *http.Request {
	i := pick(proto)
	e := &endings[i]
	var body io.Reader
	if e.method == http.MethodPost {
		n := e.body
		if n == 0 {
			n = rand.Int64N(20_000)
		}
		body = io.LimitReader(zeros{}, n)
	}
	r, err := http.NewRequest(e.method, fmt.Sprintf("%s/%d/%d", base, i, rand.IntN(manners)), body)
	if err != nil {
		panic(err)
	}
	if body != nil && rand.IntN(2) == 0 {
		r.ContentLength = body.(*io.LimitedReader).N // else chunked
	}
	if body != nil && rand.IntN(8) == 0 && proto == httpwire.HTTP1 {
		r.Header.Set("Expect", "100-continue")
	}
	r.Close = e.close
	return r
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func pick(proto httpwire.Protocol) int {
	for {
		i := rand.IntN(len(endings))
		e := &endings[i]
		if e.proto != 0 && e.proto != proto || e.rare > 0 && rand.IntN(e.rare) != 0 {
			continue
		}
		return i
	}
}

// Take sends r and reads its answer, if there is one: servers are closed in the
// middle.
func Take(rt http.RoundTripper, r *http.Request) error {
	res, err := rt.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
