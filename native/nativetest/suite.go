package nativetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hangup-go/hangup/cancel"
)

// A suite is one run of TestInterrupter. Its methods belong to the test's goroutine; calls
// are made on goroutines of their own, as they may not return.
type suite[H any] struct {
	Binding[H]
	calls   int           // cancelled, in this moment
	slowest time.Duration // from the cancel to Run's return
	closed  bool          // the moment has closed its handle
	stuck   bool          // a call has not returned, and uses its handle for good
	useless bool          // nothing works at all

	expired <-chan struct{} // for our own tests: what is waited for will not come
}

var (
	errLeft    = errors.New("nativetest: the client has left") // the cause of every cancel
	errCrashed = errors.New("the call has not returned an error")
)

// An origin is where a context comes from.
type origin struct {
	name string
	make func() (ctx context.Context, stop, release func())
}

var origins = []origin{
	{"under a request's context", func() (context.Context, func(), func()) {
		tok := new(cancel.Token)
		return cancel.NewContext(context.Background(), tok), func() { tok.Cancel(errLeft) }, func() { tok.Close(); tok.Drain() }
	}},
	{"under context.WithCancelCause", func() (context.Context, func(), func()) {
		ctx, stop := context.WithCancelCause(context.Background())
		return ctx, func() { stop(errLeft) }, func() { stop(nil) }
	}},
}

// start makes a call on a goroutine of its own, and returns where its error will be.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := fmt.Errorf("%w: it has ended its goroutine, by runtime.Goexit or a Fatal of the test's", errCrashed)
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%w: panic: %v\n\n%s", errCrashed, v, debug.Stack())
			}
			done <- err
		}()
		err = f()
	}()
	return done
}

// await waits for a call that is to return within Grace.
func (s *suite[H]) await(done <-chan error) (err error, returned bool) {
	timer := time.NewTimer(s.Grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err, true
	case <-timer.C:
	case <-s.expired:
	}
	s.stuck = true
	return nil, false
}

// run starts b.Run.
func (s *suite[H]) run(ctx context.Context, h H) <-chan error {
	s.calls++
	return start(func() error { return s.Run(ctx, h) })
}

// stopped waits for a Run that has been cancelled and judges its error. lost is what it
// means if it does not return, with Grace to be filled in.
func (s *suite[H]) stopped(done <-chan error, lost string) error {
	since := time.Now()
	err, returned := s.await(done)
	if !returned {
		return fmt.Errorf(lost, s.Grace)
	}
	s.slowest = max(s.slowest, time.Since(since))
	if err == nil {
		return errors.New(cutShort)
	}
	return matches("Run", err)
}

// matches judges the error of a call that may have been cancelled.
func matches(what string, err error) error {
	if err == nil || errors.Is(err, errLeft) {
		return nil
	}
	return fmt.Errorf(noCause, what, errLeft, err)
}

// check makes a Check that is to succeed.
func (s *suite[H]) check(ctx context.Context, h H) error {
	err, returned := s.await(start(func() error { return s.Check(ctx, h) }))
	if !returned {
		return fmt.Errorf("it did not return within %v", s.Grace)
	}
	return err
}

// next makes a call that nobody cancels, on a handle that has just been through
// what, unless that has gone wrong already.
func (s *suite[H]) next(err error, under origin, h H, what string) error {
	if err != nil {
		return err
	}
	ctx, _, release := under.make()
	defer release()
	if err := s.check(ctx, h); err != nil {
		return fmt.Errorf(poisoned, what, err)
	}
	return nil
}

// close closes a handle that nobody uses.
func (s *suite[H]) close(h H) error {
	s.closed = true
	if s.Close == nil {
		return nil
	}
	err, returned := s.await(start(func() error { return s.Close(h) }))
	if !returned {
		return fmt.Errorf("at the end Close, of a handle that nobody uses, did not return within %v", s.Grace)
	} else if err != nil {
		return fmt.Errorf("at the end Close, of a handle that nobody uses, failed: %w", err)
	}
	return nil
}

// inside waits until the Run is inside the library, or for some time.
func (s *suite[H]) inside(h H, done <-chan error, round int) error {
	wait := s.Grace
	if s.Inside == nil {
		wait = time.Millisecond << (2 * (round % 4)) // up to 64 ms
	}
	for since := time.Now(); s.Inside == nil || !s.Inside(h); runtime.Gosched() {
		select {
		case err := <-done:
			return fmt.Errorf("before anybody has cancelled it, Run returned (%v):\n\tmake it longer", err)
		default:
		}
		if time.Since(since) < wait {
			continue
		}
		if s.Inside == nil {
			return nil
		}
		s.stuck = true
		return fmt.Errorf("for %v after the start of Run, Inside was not true", s.Grace)
	}
	return nil
}
