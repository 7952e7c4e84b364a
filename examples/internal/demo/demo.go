// Package demo drives an example server in its own process: requests that
// complete, and clients that hang up in the middle, over each protocol.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

// A Request is one that the demo's clients make.
type Request struct{ Method, Path, Body string }

// A Case is a request whose native call would run for long, and from when on its
// clients leave.
type Case struct {
	Name string // empty if there is no other
	Request
	Began bool // once there is something of the answer; otherwise once the call is in C
}

// Target is what is driven.
type Target struct {
	Quick   Request // completes at once
	Endless []Case
	Events  *Events
}

// patience bounds every wait for something that should take milliseconds.
const patience = 30 * time.Second

// atOnce is how many requests are under way together.
const atOnce = 4

// Run starts the server, drives it, drains it, and prints the table to stdout. The
// error says what the table shows to be wrong.
func Run(s *serve.Server, drain func(patience time.Duration) error, t Target, size Size, stdout, stderr io.Writer) error {
	fmt.Fprint(stderr, s.Sockets)
	s.Start()
	reports, err := drive(s.Sockets, t, size, stderr)
	// The reports are complete when every handler has returned.
	if err := errors.Join(err, drain(0)); err != nil {
		return err
	}
	if err := table(stdout, reports); err != nil {
		return err
	}
	return check(reports)
}

// drive runs the requests, one protocol and case after the other, and returns a
// report for each. It fails only if a client can't be used at all; what went wrong
// with calls is in the reports.
func drive(s *serve.Sockets, t Target, size Size, progress io.Writer) ([]*report, error) {
	var reports []*report
	for _, p := range []client.Protocol{client.HTTP1, client.HTTP2, client.HTTP3} {
		c, stop := p.New(s.Trust(), atOnce)
		defer stop()
		for _, long := range t.Endless {
			r := newReport(strings.TrimSpace(p.Name+" "+long.Name), size, t.Events)
			reports = append(reports, r)
			if err := r.drive(&caller{c, p.URL(s), p.Major, t.Events}, t.Quick, long, newProgress(progress, r.name, size)); err != nil {
				return reports, fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return reports, nil
}

func (r *report) drive(c *caller, quick Request, long Case, progress *progress) error {
	defer progress.end()
	if err := c.complete(quick, r, progress); err != nil {
		return err
	}
	for i := range r.HangUps {
		id := r.name + " hang-up " + strconv.Itoa(i)
		r.hungUp = append(r.hungUp, id)
		took, err := c.hangUp(long, id)
		if err != nil {
			r.fail(err) // the calls that do not stop would only pile up
			break
		}
		r.stopped++
		_ = r.latency.RecordValue(took.Microseconds())
		progress.step()
	}
	return nil
}

// A caller makes one protocol's requests.
type caller struct {
	client *http.Client
	base   string
	proto  int
	events *Events
}

// complete makes the requests that nobody hangs up on.
func (c *caller) complete(quick Request, r *report, progress *progress) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range r.Requests {
		id := r.name + " request " + strconv.Itoa(i)
		r.normal = append(r.normal, id)
		g.Go(func() error {
			defer progress.step()
			ctx, stop := context.WithTimeout(context.Background(), patience)
			defer stop()
			return c.call(ctx, quick, id)
		})
	}
	return g.Wait()
}

// call makes one request and reads its answer, which must be a 200 over the
// right protocol.
func (c *caller) call(ctx context.Context, r Request, id string) error {
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base+r.Path, strings.NewReader(r.Body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Request-Id", id)
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != c.proto {
		return fmt.Errorf("%s: %s %s: %s", id, resp.Proto, resp.Status, body)
	}
	return nil
}

var errAnswered = errors.New("the client was answered before it hung up")

// hangUp makes a request, leaves once the call is where the case says, and returns the time from
// leaving to C's return.
func (c *caller) hangUp(long Case, id string) (time.Duration, error) {
	call := c.events.Expect(id)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	reached := call.Entered
	if long.Began {
		reached = call.Began
	}
	ended := make(chan error, 1)
	go func() { ended <- c.call(ctx, long.Request, id) }()
	select {
	case <-reached:
	case err := <-ended:
		return 0, errors.Join(errAnswered, err)
	case <-time.After(patience):
		return 0, errors.New("the request did not get so far")
	}
	time.Sleep(rand.N(10 * time.Millisecond)) // in the middle: any moment will do
	left := time.Now()
	leave()
	select {
	case ret := <-call.Returned:
		if ret.Err == nil {
			return 0, errors.New("the call ran to its end")
		}
		<-ended
		return ret.At.Sub(left), nil
	case <-time.After(patience):
		return 0, fmt.Errorf("the call still runs %v after its client left", patience)
	}
}
