package cancel

import (
	"context"
	"runtime"
	"testing"
)

// A call that has seen its token cancelled does not stop its callback while Cancel is on its way to it.
func TestFirstCallback_awaitsLook(t *testing.T) {
	for range 500 {
		var tok Token
		var p FirstCallback
		r, _ := tok.OnCancelFirst(&p, func(error) {})
		tok.mu.Lock() // Cancel, in the middle
		tok.cause = context.Canceled
		tok.state.Or(cancelled)
		stopped := make(chan bool, 2)
		go func() { stopped <- p.Stop(&tok) }()
		go func() { stopped <- r.Stop() }()
		for range 5 {
			runtime.Gosched()
		}
		n := tok.startFirst()
		tok.mu.Unlock()
		for range 2 {
			if <-stopped || n == nil {
				t.Fatal("the callback was stopped, though its token was cancelled before")
			}
		}
		n.run(&tok, tok.cause)
	}
}
