package measurement

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hangup-go/hangup/bench/internal/clock"
	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/load"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/server"
	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

// A Batch is requests that are in flight together and are left one by one.
type Batch struct {
	Contender contender.Contender
	Protocol  protocol.Protocol
	Kind      protocol.Kind // Get if empty
	Observed  bool
	Mode      contender.Mode
	Limit     time.Duration // of a call that nobody stops
	Count     int
	Gap       time.Duration // between two that leave, about
	Load      *load.Load    // begins when all are inside, and ends with the batch; nil: none
}

// patience is for what takes milliseconds on an idle machine, and much longer on the busiest that is
// measured.
const patience = 2 * time.Minute

// settle is what a load has before the first request is left.
const settle = 100 * time.Millisecond

// A trip is what became of one request: times of package clock, 0 where it did not come there.
type trip struct {
	planned, left                              int64
	event, noticed, flag, seen, returned, done int64
	handler                                    int64
	fired                                      int // how often the cancel function was called
}

// run makes the requests, has the client leave once each is inside its call, and waits until
// the handlers have returned.
func (l *Lab) run(ctx context.Context, b Batch) ([]trip, error) {
	trips, _, err := l.runCPU(ctx, b)
	return trips, err
}

// runCPU is run, and returns how much processor time this process took from when the first left to when nothing
// was left of any.
func (l *Lab) runCPU(ctx context.Context, b Batch) (trips []trip, cpu time.Duration, err error) {
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	s := l.servers[where{b.Contender.Ours, b.Observed}]
	trials := make([]*trial, b.Count)
	for i := range trials {
		trials[i] = newTrial(b, s)
	}
	first := l.enlist(trials)
	defer l.strike(first, b.Count)
	if err := l.client.Open(b.Protocol, s.Addr(b.Protocol), b.Kind, first, b.Count); err != nil {
		return nil, 0, err
	}
	for _, t := range trials {
		if err := t.awaitInside(ctx); err != nil {
			return nil, 0, fmt.Errorf("%s on %s: %w", b.Contender.Name, b.Protocol, err)
		}
	}
	trips = make([]trip, b.Count)
	if b.Kind == protocol.Answered { // they end by themselves, and the client stays until then
		for i, t := range trials {
			if err := t.await(ctx); err != nil {
				return nil, 0, fmt.Errorf("%s on %s: %w", b.Contender.Name, b.Protocol, err)
			}
			t.call.Join()
			trips[i] = t.trip(0, 0)
		}
	}
	if b.Load != nil {
		stop, err := b.Load.Start(ctx, l)
		if err != nil {
			return nil, 0, err
		}
		defer stop()
		time.Sleep(settle) // until it has run everywhere
	}
	before := cpuTime()
	left, err := l.client.Leave(b.Gap)
	if err != nil {
		return nil, 0, err
	}
	for i, t := range trials {
		if err := t.await(ctx); err != nil {
			return nil, 0, fmt.Errorf("%s on %s: %w", b.Contender.Name, b.Protocol, err)
		}
		if b.Kind != protocol.Answered {
			if !b.Contender.Blind {
				t.call.Join() // it may say when it cancelled a moment after the handler has returned
			}
			trips[i] = t.trip(left[i].Planned, left[i].At)
		}
		t.end(b)
	}
	after := cpuTime()
	return trips, after - before, nil
}

func newTrial(b Batch, s *server.Server) *trial {
	t := &trial{server: s, call: contender.NewCall(b.Mode, b.Limit), ended: make(chan struct{})}
	run := b.Contender.New(t.call)
	t.run = func(r *http.Request) {
		run(r.Context())
		if tok := cancel.FromContext(r.Context()); b.Contender.Ours && tok != nil && tok.Cancelled() && t.call.Fired() == 0 {
			t.call.StampAt(contender.FlagSet, clock.Of(tok.FlagSetAt()))
		}
	}
	return t
}

// noticed is when hangup noticed that the client of a request has left.
func noticed(ctx context.Context) int64 {
	if d, ok := context.Cause(ctx).(*httpwire.Disconnect); ok {
		return clock.Of(d.Time)
	}
	return 0
}

// awaitInside waits until the native code is inside, or has been.
func (t *trial) awaitInside(ctx context.Context) error {
	for end := time.Now().Add(patience); t.call.Marks.Started() == 0; time.Sleep(200 * time.Microsecond) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %v for a request to be inside its native call", patience)
		}
	}
	return nil
}

// await waits until the handler has returned.
func (t *trial) await(ctx context.Context) error {
	select {
	case <-t.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience + t.call.Limit):
		return fmt.Errorf("waited %v for a handler to return", patience+t.call.Limit)
	}
}

func (t *trial) trip(planned, left int64) trip {
	flag, seen := t.call.At(contender.FlagSet), t.call.Marks.Seen()
	if seen != 0 && flag != 0 {
		flag = min(flag, seen) // its time is read behind the store
	}
	if t.noticed != 0 && flag != 0 {
		t.noticed = min(t.noticed, flag) // where it is one moment, of the thread in C, by two clocks
	}
	event := t.event.After(left)
	if event != 0 && t.noticed != 0 {
		event = min(event, t.noticed) // the observer's thread may have had to wait for a processor
	}
	return trip{
		planned: planned, left: left,
		event: event, noticed: t.noticed, flag: flag, seen: seen,
		returned: t.call.At(contender.Returned), done: t.call.At(contender.Done), handler: t.handler, fired: t.call.Fired(),
	}
}

// end frees the trial, when nothing of it runs any more. What its contender has left behind in C is
// ended if it sleeps, and else has its time.
func (t *trial) end(b Batch) {
	if b.Contender.Blind && b.Mode == contender.Sleeps {
		t.call.Word.Cancel()
	}
	t.call.Free()
}
