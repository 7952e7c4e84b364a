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
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

// Size says how much is done per protocol.
type Size struct {
	Requests int // that complete
	HangUps  int // in the middle of a call
}

// Target is what is driven.
type Target struct {
	Sockets *serve.Sockets
	Quick   string // path and query of a request that completes at once
	Endless string // of one whose native call would run for minutes
	Events  *Events
}

// patience bounds every wait for something that should take milliseconds.
const patience = 30 * time.Second

// atOnce is how many requests are under way together.
const atOnce = 4

// Drive runs the requests, one protocol after the other, and returns a report
// for each. It fails only if a client can't be used at all; what went wrong with
// calls is in the reports. The reports are complete once the server was drained.
func Drive(t Target, size Size, progress io.Writer) ([]*Report, error) {
	var reports []*Report
	for _, p := range []client.Protocol{client.HTTP1, client.HTTP2, client.HTTP3} {
		r := newReport(p.Name, size, t.Events)
		reports = append(reports, r)
		if err := r.drive(t, p, newProgress(progress, p.Name, size)); err != nil {
			return reports, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return reports, nil
}

func (r *Report) drive(t Target, p client.Protocol, progress *progress) error {
	c, stop := p.New(t.Sockets.Trust(), atOnce)
	defer stop()
	return r.driveWith(&caller{c, p.URL(t.Sockets), p.Major, t.Events}, t, progress)
}

func (r *Report) driveWith(c *caller, t Target, progress *progress) error {
	defer progress.end()
	if err := c.complete(t.Quick, r, progress); err != nil {
		return err
	}
	for i := range r.HangUps {
		id := r.Protocol + " hang-up " + strconv.Itoa(i)
		r.hungUp = append(r.hungUp, id)
		took, err := c.hangUp(t.Endless, id)
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
func (c *caller) complete(path string, r *Report, progress *progress) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range r.Requests {
		id := r.Protocol + " request " + strconv.Itoa(i)
		r.normal = append(r.normal, id)
		g.Go(func() error {
			defer progress.step()
			ctx, stop := context.WithTimeout(context.Background(), patience)
			defer stop()
			return c.call(ctx, path, id)
		})
	}
	return g.Wait()
}

// call makes one request and reads its answer, which must be a 200 over the
// right protocol.
func (c *caller) call(ctx context.Context, path, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
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

// hangUp makes a request, leaves once the call is in C, and returns the time from
// leaving to C's return.
func (c *caller) hangUp(path, id string) (time.Duration, error) {
	call := c.events.Expect(id)
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	ended := make(chan error, 1)
	go func() { ended <- c.call(ctx, path, id) }()
	select {
	case <-call.Entered:
	case err := <-ended:
		return 0, errors.Join(errAnswered, err)
	case <-time.After(patience):
		return 0, errors.New("the request did not reach C")
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
