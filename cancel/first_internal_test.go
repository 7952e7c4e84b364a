package cancel

import (
	"context"
	"runtime"
	"testing"
)

// A call that has seen its token cancelled does not end its callback while Cancel is on its way to it.
func TestFirstCallback_awaitsLook(t *testing.T) {
	for range 500 {
		var tok Token
		r, _ := tok.OnCancelFirst(func(error) {})
		tok.mu.Lock() // Cancel, in the middle
		tok.cause = context.Canceled
		tok.state.Or(cancelled)
		stopped := make(chan bool, 3)
		go func() { stopped <- r.Stop() }()
		go func() { stopped <- r.StopAndWait() }()
		go func() {
			if tok.StopFirst() {
				stopped <- true
				return
			}
			r, started := tok.FirstStarted()
			r.StopAndWait()
			tok.ForgetFirst()
			stopped <- !started
		}()
		for range 5 {
			runtime.Gosched()
		}
		n := tok.claimFirst()
		tok.mu.Unlock()
		if n == nil {
			t.Fatal("nothing to claim")
		}
		n.run(&tok, tok.cause)
		for range 3 {
			if <-stopped {
				t.Fatal("the callback was stopped, though its token was cancelled before")
			}
		}
	}
}

// C2: a callback that is registered while its token is cancelled starts once, whoever is first to see
// the other: Cancel, which registration, or the end of the call.
func TestFirstCallback_registeredBesideCancel(t *testing.T) {
	for _, claims := range []func(*Token){
		(*Token).firstDecided, // OnCancelFirst's own
		func(tok *Token) { tok.FirstStarted() },
	} {
		var tok Token
		starts := make(chan struct{}, 2)
		tok.OnCancelFirst(func(error) { starts <- struct{}{} })
		tok.mu.Lock() // Cancel has looked at the place, before the registration
		tok.cause = context.Canceled
		tok.state.Or(cancelled)
		tok.mu.Unlock()
		claims(&tok)
		tok.firstDecided()
		tok.FirstStarted()
		<-starts
		tok.Drain()
		if len(starts) != 0 {
			t.Error("started twice")
		}
	}
}

// N4: a loan finds both places empty, whatever came before: who registers too late, against the rules, finds no
// other call's callback to take away, and brings none back.
func TestFirstCallback_emptyAtLoan(t *testing.T) {
	var tok Token
	for i := range 4 {
		tok.AcquireKept()
		if tok.first[0] != nil || tok.first[1] != nil {
			t.Fatalf("loan %d begins with %v", i, tok.first)
		}
		tok.OnCancelFirst(func(error) {})
		if i == 2 {
			tok.StopFirst()
		}
		if !tok.ReleaseKept() {
			t.Fatal("the loan has not ended")
		}
	}
}
