//go:build cgo

package native

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"testing"
	"time"
)

// A slowWorker is a context whose Err keeps the worker until the caller has gone.
type slowWorker struct {
	context.Context
	gone chan struct{}
}

func (c slowWorker) Value(key any) any {
	if key == &traceKey {
		return c.Context.Value(key)
	}
	return nil
}

func (c slowWorker) Err() error {
	if bytes.Contains(debug.Stack(), []byte("(*worker).serve(")) {
		<-c.gone
	}
	return c.Context.Err()
}

// N6, N11: a call that is cancelled on its way to its worker, and abandoned there, is told of when it
// is over, though its function was never called.
func TestN11_skippedAndAbandoned(t *testing.T) {
	base, end := context.WithCancel(context.Background())
	defer end()
	done, reclaimed := make(chan Receipt, 1), make(chan Receipt, 1)
	ctx := slowWorker{WithTrace(base, &Trace{
		Done:      func(r Receipt) { done <- r },
		Reclaimed: func(r Receipt) { reclaimed <- r },
	}), make(chan struct{})}
	p := &Pool{Size: 1, Grace: time.Nanosecond}
	p.crew.cancelled.Store(&errLeaving) // as Close does while a call is handed over
	_, err := DoIn(ctx, p, func(*Call) (int, error) { t.Error("it was called"); return 0, nil })
	if !errors.Is(err, ErrAbandoned) {
		t.Error(err)
	}
	close(ctx.gone)
	if r := <-done; r.Outcome != Abandoned {
		t.Errorf("Done: %+v", r)
	}
	select {
	case r := <-reclaimed:
		if r.Outcome != NotStarted || !errors.Is(r.Err, errLeaving) {
			t.Errorf("Reclaimed: %+v", r)
		}
	case <-time.After(20 * time.Second):
		t.Error("waited for Reclaimed")
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

var errLeaving = errors.New("leaving")
