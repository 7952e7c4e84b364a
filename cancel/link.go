package cancel

// Link makes t's cancel cancel child too, with the same cause, inside t.Cancel:
// child's flag is set when t.Cancel returns, and does not wait for a goroutine.
// If t is cancelled already, so is child when Link returns. The other way
// round nothing passes: child's cancel and end are its own.
//
// The Registration undoes the link; after its StopAndWait, t does not reach
// child any more. The caller keeps both tokens from Reset until then.
func (t *Token) Link(child *Token) Registration {
	t.mu.Lock()
	state := t.state.Load()
	if state&completed != 0 || over(state) {
		t.mu.Unlock()
		return Registration{}
	}
	if state&cancelled != 0 {
		t.mu.Unlock() // child's mutex is taken with no other held
		child.Cancel(t.cause)
		return Registration{}
	}
	n := t.newNode(linked)
	n.child = child
	r := Registration{t: t, n: n, gen: n.gen.Load()}
	t.pending.push(n)
	t.mu.Unlock()
	return r
}

// linked is the callback of a node that is a link: it says that the node is in
// use, and is never called.
func linked(error) {}

// cancelLinked cancels the children on the chain that Cancel is about to start.
// The nodes are on the running list, so that StopAndWait waits for us.
func cancelLinked(first *node, cause error) {
	for n := first; n != nil; n = n.handoff {
		if n.child != nil {
			n.child.Cancel(cause)
		}
	}
}
