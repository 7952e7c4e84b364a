package contender

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/hangup-go/hangup/bench/internal/clock"
)

// Rivals are what people write today, on a plain server. The engine's cancel function is for free.
var Rivals = []Contender{
	{Name: "goroutine and select", About: "C on a goroutine of its own; select; the cancel function; wait", New: selects},
	{Name: "watcher goroutine", About: "a goroutine per call waits for the context and calls the cancel function", New: watcher},
	{Name: "context.AfterFunc", About: "the cancel function by AfterFunc, stopped or joined on the way out", New: afterFunc},
	{Name: "pgx ctxwatch", About: "the package of a PostgreSQL driver, with the cancel function", New: ctxWatch},
	{Name: "Go callback", About: "C calls a Go function once a millisecond that asks the context", Polls: true, New: goCallback},
	{Name: "abandon the call", About: "as goroutine and select, but the handler leaves, and C runs on", Blind: true, New: abandon},
	{Name: "r.Context() alone", About: "a handler that waits for its context; nobody tells C", NoC: true, Blind: true, New: contextAlone},
}

// Careless are rivals that are wrong in more than time.
var Careless = []Contender{
	{Name: "AfterFunc, never stopped", About: "as context.AfterFunc, and the end of the call does not stop it", New: careless},
}

func selects(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		done := make(chan uint64, 1)
		go func() { v, _ := c.own(); done <- v }()
		select {
		case <-done:
		case <-ctx.Done():
			c.cancel()
			<-done
		}
	}
}

func watcher(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		over, left := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(left)
			select {
			case <-ctx.Done():
				c.cancel()
			case <-over:
			}
		}()
		_, _ = c.own()
		close(over)
		<-left
	}
}

func afterFunc(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		left := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { c.cancel(); close(left) })
		_, _ = c.own()
		if !stop() {
			<-left
		}
	}
}

func careless(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		c.pending.Add(1)
		context.AfterFunc(ctx, func() { defer c.pending.Done(); c.cancel() })
		_, _ = c.own()
	}
}

func ctxWatch(c *Call) func(context.Context) {
	w := ctxwatch.NewContextWatcher((*watched)(c))
	return func(ctx context.Context) {
		w.Watch(ctx)
		_, _ = c.own()
		w.Unwatch()
	}
}

// watched is a Call as ctxwatch wants it.
type watched Call

func (w *watched) HandleCancel(context.Context) { (*Call)(w).cancel() }

func (w *watched) HandleUnwatchAfterCancel() {}

func goCallback(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		_, _ = c.goCallback(func() bool {
			if ctx.Err() == nil {
				return false
			}
			c.fired.Add(1)
			c.StampAt(FlagSet, clock.Now()) // C sees it at once
			return true
		})
	}
}

func abandon(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		done := make(chan uint64, 1)
		c.pending.Go(func() { v, _ := c.own(); done <- v })
		select {
		case <-done:
		case <-ctx.Done():
			c.Stamp(FlagSet) // nobody is told: what could be told is
		}
	}
}

func contextAlone(c *Call) func(context.Context) {
	return func(ctx context.Context) {
		if c.Mode != Sleeps {
			_, _ = c.own() // what it does not stop
			return
		}
		c.Marks.Start()
		select {
		case <-ctx.Done():
			c.Stamp(FlagSet)
		case <-time.After(c.Limit):
		}
	}
}
