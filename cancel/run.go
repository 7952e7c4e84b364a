package cancel

import (
	"fmt"
	"runtime/debug"

	"github.com/hangup-go/hangup/internal/goid"
)

// A PanicError is a panic of a callback or of a native call, on its way to the
// goroutine that waits for it.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the goroutine that panicked, as debug.Stack formats it
}

// Error returns the panic's value and its stack.
func (p *PanicError) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

// Unwrap returns the panic's value if it is an error, else nil.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// Recovered makes a PanicError of what recover returned; it must be called on
// the goroutine that panicked, in the deferred function. A value that is a
// *PanicError already is passed through, so that a panic handed from goroutine
// to goroutine keeps its first stack.
func Recovered(v any) *PanicError {
	if p, ok := v.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// run calls the callback; it is the body of the callback's own goroutine.
func (n *node) run(t *Token, cause error) {
	t.awaitDone()    // a late registration may be ahead of Cancel
	id := goid.Get() // before the lock: it takes a microsecond
	t.mu.Lock()
	n.goid = id
	f := n.f
	t.mu.Unlock()

	returned := false
	defer func() {
		var p *PanicError
		// Neither returned nor panicking is runtime.Goexit: the callback is over.
		if !returned {
			if v := recover(); v != nil {
				p = Recovered(v)
			}
		}
		t.ended(n, p)
	}()
	f(cause)
	returned = true
}

// ended takes n off the running list and wakes whoever waits for that.
func (t *Token) ended(n *node, p *PanicError) {
	t.mu.Lock()
	ended, drained := n.ended, t.drained
	n.ended = nil
	t.running.remove(n)
	if p != nil {
		n.panic = p
		t.panicked.push(n)
	} else {
		t.recycleNode(n)
	}
	if t.running.head == nil {
		t.drained = nil
	} else {
		drained = nil
	}
	t.mu.Unlock()
	if ended != nil {
		close(ended)
	}
	if drained != nil {
		close(drained)
	}
}

// wait returns, with t.mu held again, when n's callback has ended.
func (n *node) wait(t *Token) {
	if n.ended == nil {
		n.ended = make(chan struct{})
	}
	ended := n.ended
	t.mu.Unlock()
	<-ended
	t.mu.Lock()
}

// Drain waits until no callback of t is running. It decides nothing: on a live
// token it returns at once. After Close, Drain returning means that no callback
// of t runs or ever will.
//
// If a callback panicked and nobody was told yet, Drain panics with its
// [*PanicError]; each further one is delivered by a further call. Called from
// inside one of t's callbacks, Drain returns at once.
func (t *Token) Drain() {
	t.mu.Lock()
	for t.running.head != nil {
		if t.insideLocked() {
			t.mu.Unlock()
			return
		}
		if t.drained == nil {
			t.drained = make(chan struct{})
		}
		drained := t.drained
		t.mu.Unlock()
		<-drained
		t.mu.Lock()
	}
	n := t.panicked.head
	if n == nil {
		t.mu.Unlock()
		return
	}
	p := n.panic
	t.panicked.remove(n)
	t.recycleNode(n)
	t.mu.Unlock()
	panic(p)
}

// insideLocked reports whether the caller is one of t's running callbacks.
func (t *Token) insideLocked() bool {
	id := goid.Get()
	for n := t.running.head; n != nil; n = n.next {
		if n.goid == id {
			return true
		}
	}
	return false
}
