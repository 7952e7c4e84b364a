package nativetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// What went wrong, and what to do about it.
const (
	ignored = "the call did not return within %v of the cancel:\n" +
		"\tnothing that it computes or waits for looks at the cancel. What it needs depends on how the C code\n" +
		"\tblocks: see package native, and its Call.AbandonAfter for code that can't be stopped. If it reads the flag in a\n" +
		"\tloop, a plain read may have been moved out of that: read it atomically, as native/hangup.h does"
	lostStart = "the call did not return within %v, though its context was done before it started:\n" +
		"\tnative.Do does not make such a call; what else is there in Run?"
	lostEarly = "a cancel before entry was lost: the call did not return within %v of it, though it does when it is inside:\n" +
		"\ta cancel function that does nothing when it comes early, or that the library forgets as it starts,\n" +
		"\tis to be repeated: native.Canceller.Repeat. A flag of your own must not be cleared by the call"
	lostSecond = "the second of two cancelled calls on the same handle did not return within %v of its cancel:\n" +
		"\tis the cancel armed anew for each call?"
	lostClose = "the call did not return within %v of the cancel, while its handle was being closed:\n" +
		"\tdoes Close hold a lock that the cancel needs?"
	cutShort = "the call returned nil, although it was cancelled and does not end by itself:\n" +
		"\tan answer that a cancel has cut short needs an error; or Run is too short for this test"
	noCause = "%s's error does not match the context's cause, %q:\n" +
		"\treturn the error of native.Do as it is, or wrap it with %%w. It is: %w"
	poisoned = "the next call on the same handle failed, after %s:\n" +
		"\tif it was stopped, a cancel function that sticks is to be reset on the way out: native.Canceller.Reset. One that may come late\n" +
		"\tis to be joined before the handle is used again: native.Do does that, and the stop of Call.AddCanceller.\n" +
		"\tCheck said: %w"
	notClosed = "beside a call Close did not return within %v of that call's end"
	noClose   = "beside a call Close failed:\n" +
		"\tit is to wait for the call, or to leave the freeing to it: native.Handle does either. It said: %w"
)

// never: Check and Close work at all.
func (s *suite[H]) never(under origin, h H) error {
	var releases []func()
	defer func() {
		for _, release := range releases { // not before, as that is a cancel too
			release()
		}
	}()
	return each(3, func(int) error {
		ctx, _, release := under.make()
		releases = append(releases, release)
		if err := s.check(ctx, h); err != nil {
			s.useless = true
			return fmt.Errorf("nobody has cancelled anything, and Check fails: %w", err)
		}
		return nil
	})
}

// beforeStart: a call whose context is done is not to be made, or to return at once.
func (s *suite[H]) beforeStart(under origin, h H) error {
	return each(s.few(), func(int) error {
		ctx, stop, release := under.make()
		defer release()
		stop()
		err := s.stopped(s.run(ctx, h), lostStart)
		return s.next(err, under, h, "one whose context was done before")
	})
}

func (s *suite[H]) inTheMiddle(under origin, h H) error {
	return each(s.few(), func(round int) error {
		err := s.cancelInside(under, h, round, ignored)
		return s.next(err, under, h, "one that was cancelled in the middle")
	})
}

func (s *suite[H]) cancelInside(under origin, h H, round int, lost string) error {
	ctx, stop, release := under.make()
	defer release()
	defer stop()
	done := s.run(ctx, h)
	if err := s.inside(h, done, round); err != nil {
		return err
	}
	stop()
	return s.stopped(done, lost)
}

// atEntry: from the first instruction on, and later from round to round.
func (s *suite[H]) atEntry(under origin, h H) error {
	return each(s.Rounds, func(round int) error {
		ctx, stop, release := under.make()
		defer release()
		done := s.run(ctx, h)
		pause(round)
		stop()
		err := s.stopped(done, lostEarly)
		return s.next(err, under, h, "one that was cancelled at entry")
	})
}

// twice: by two goroutines at once; and then the next call on the same handle.
func (s *suite[H]) twice(under origin, h H) error {
	return each(s.few(), func(round int) error {
		ctx, stop, release := under.make()
		defer release()
		done := s.run(ctx, h)
		pause(round)
		var both sync.WaitGroup
		both.Go(stop)
		both.Go(stop)
		both.Wait()
		err := s.stopped(done, lostEarly)
		if err == nil {
			err = s.cancelInside(under, h, round, lostSecond)
		}
		return s.next(err, under, h, "two that were cancelled")
	})
}

// atTheReturn: a short call and its cancel meet. Either may win.
func (s *suite[H]) atTheReturn(under origin, h H) error {
	since := time.Now()
	if err := s.never(under, h); err != nil {
		return err
	}
	took := time.Since(since) / 3
	return each(s.Rounds, func(round int) error {
		ctx, stop, release := under.make()
		defer release()
		s.calls++
		done := start(func() error { return s.Check(ctx, h) })
		pauseFor(took * time.Duration(round%20) / 10) // up to twice its length
		stop()
		err, returned := s.await(done)
		if !returned {
			return fmt.Errorf(ignored, s.Grace)
		}
		return s.next(matches("Check", err), under, h, "a short one that was cancelled as it returned")
	})
}

func (s *suite[H]) afterTheReturn(under origin, h H) error {
	return each(s.Rounds, func(int) error {
		ctx, stop, release := under.make()
		defer release()
		s.calls++
		if err := s.check(ctx, h); err != nil {
			return fmt.Errorf("before its context is done, Check fails: %w", err)
		}
		stop()
		return s.next(nil, under, h, "one that was cancelled when it had returned")
	})
}

// besideClose: the cancel, the call and Close in every order; a handle each.
func (s *suite[H]) besideClose(under origin, h H) error {
	return each(s.few(), func(round int) (err error) {
		if s.closed { // by the round before
			if h, err = s.New(); err != nil {
				return fmt.Errorf("after some rounds New failed: %w", err)
			}
		}
		return s.closeBeside(under, h, round)
	})
}

func (s *suite[H]) closeBeside(under origin, h H, round int) error {
	ctx, stop, release := under.make()
	defer release()
	s.closed = true
	done := s.run(ctx, h)
	pause(round / 3)
	if round%3 == 0 {
		stop()
	}
	closed := start(func() error { return s.Close(h) })
	if round%3 == 1 {
		pause(round)
	}
	stop()
	if err, returned := s.await(done); !returned {
		return fmt.Errorf(lostClose, s.Grace)
	} else if err == nil {
		return errors.New(cutShort)
	} else if errors.Is(err, errCrashed) { // any other is right: the handle may have been closed before
		return err
	}
	if err, returned := s.await(closed); !returned {
		return fmt.Errorf(notClosed, s.Grace)
	} else if err != nil {
		return fmt.Errorf(noClose, err)
	}
	return nil
}

func each(rounds int, f func(round int) error) error {
	for round := range rounds {
		if err := f(round); err != nil {
			return err
		}
	}
	return nil
}

// few is for what takes milliseconds a round.
func (s *suite[H]) few() int { return max(s.Rounds/10, 4) }

// pause is longer from round to round, from nothing at all to 1 ms, and begins anew.
func pause(round int) {
	if round %= 20; round >= 10 {
		pauseFor(2 * time.Microsecond << (round - 10))
		return
	}
	for range round {
		runtime.Gosched()
	}
}

func pauseFor(d time.Duration) {
	for since := time.Now(); time.Since(since) < d; {
		runtime.Gosched()
	}
}
