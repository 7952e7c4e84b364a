package cancel_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/hangup-go/hangup/cancel"
)

// C6 through a link: when the parent's Cancel returns, the child's flag is set.
// The child's own cancel does not reach the parent, and an undone link nothing.
func TestToken_link(t *testing.T) {
	gone := errors.New("gone")
	var parent, child, other cancel.Token
	defer parent.Close()
	defer child.Close()
	defer other.Close()
	parent.Link(&child)
	undone := parent.Link(&other)
	flag := child.Flag()
	if !undone.Stop() || undone.Stop() {
		t.Error("Stop of a link does not say that it prevented the cancel, once")
	}
	parent.Cancel(gone)
	if !child.Cancelled() || !flag.IsSet() || child.Cause() != gone {
		t.Errorf("child: cancelled %v, flag %v, cause %v", child.Cancelled(), flag.IsSet(), child.Cause())
	}
	if other.Cancelled() {
		t.Error("an undone link passed the cancel on")
	}

	var late cancel.Token
	defer late.Close()
	parent.Link(&late)
	if late.Cause() != gone {
		t.Errorf("linked to a cancelled token: cause is %v", late.Cause())
	}
	var up, down cancel.Token
	defer up.Close()
	defer down.Close()
	up.Link(&down)
	down.Cancel(gone)
	if up.Cancelled() {
		t.Error("a child's cancel reached its parent")
	}
}

// C5 for a link: after StopAndWait the parent does not reach the child, which may
// be reset, whatever Cancel is about to do.
func TestToken_linkRace(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	gone := errors.New("gone")
	var child cancel.Token
	hit := 0
	for i := range n {
		parent := new(cancel.Token)
		r := parent.Link(&child)
		done := make(chan struct{})
		go func() { parent.Cancel(gone); close(done) }()
		for range i % 8 {
			runtime.Gosched()
		}
		stopped := r.StopAndWait()
		was := child.Cancelled()
		if stopped && was {
			t.Fatal("the link was undone in time, and the child is cancelled")
		}
		if was {
			hit++
			child.Close()
			child.Reset()
		}
		<-done
		if child.Cancelled() {
			t.Fatalf("round %d: cancelled after StopAndWait", i)
		}
		parent.Close()
	}
	t.Logf("%d of %d were in time", hit, n)
}
