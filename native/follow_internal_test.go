package native

import (
	"context"
	"errors"
	"testing"

	"github.com/hangup-go/hangup/cancel"
)

// N3 and N4 where the armer meets a call's end: it arms whatever is active, all
// the time, while calls start and finish and half of the contexts end. After
// finish the follower's token is live, whatever comes late.
func TestFollower_race(t *testing.T) {
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	gone := errors.New("gone")
	f := newFollower()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if w := f.word.Load(); w&(active|armed) == active {
				f.arm(w)
			}
		}
	}()
	armedCalls, cancelled := 0, 0
	for i := range n {
		ctx, end := context.WithCancelCause(context.Background())
		f.start(ctx)
		if i%2 == 0 {
			go end(gone)
		}
		for range i % 16 {
			f.own.Completed() // a load: a little time
		}
		if f.word.Load()&armed != 0 {
			armedCalls++
		}
		if f.own.Cancelled() {
			cancelled++
			if i%2 == 1 || f.own.Cause() != gone {
				t.Fatalf("call %d cancelled: %v", i, f.own.Cause())
			}
		}
		f.finish()
		if f.own.Cancelled() || f.stop != nil || f.ctx != nil || f.word.Load()&(active|armed) != 0 || len(f.fired) != 0 {
			t.Fatalf("call %d left something behind: word %b", i, f.word.Load())
		}
		end(nil)
	}
	close(stop)
	<-stopped
	t.Logf("%d calls, %d armed, %d cancelled", n, armedCalls, cancelled)
}

// N3 and N4 where the request's cancel meets the end of a call that is linked to
// it: after unlink the call's token is live, whatever comes late.
func TestFollower_linkRace(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	gone := errors.New("gone")
	f := newFollower()
	next, done := make(chan *cancel.Token), make(chan struct{})
	go func() {
		for tok := range next {
			tok.Cancel(gone)
			done <- struct{}{}
		}
	}()
	hit := 0
	for i := range n {
		tok := new(cancel.Token)
		tok.Acquire()
		f.link(context.Background(), tok)
		next <- tok
		for range i % 128 {
			f.own.Completed() // a load: a little time
		}
		if f.own.Cancelled() {
			hit++
		}
		f.unlink()
		<-done
		if f.own.Cancelled() {
			t.Fatalf("call %d: cancelled after it was unlinked", i)
		}
		tok.Close()
	}
	close(next)
	t.Logf("%d calls, %d cancelled", n, hit)
}
