package httpwire

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// ahead reads a connection ahead of its server while a request with a body is
// attached (Options.BodyReadAhead). A FIN comes behind all data: as long as the
// kernel's buffer is full of a body that nobody reads, it stays with the client. A
// goroutine moves the data to a queue of ours, at most limit bytes; then it stops,
// and TCP holds the client back as ever.
//
// It is below TLS and net/http, which read by read: the queue first, then the
// error that came behind it, then from the connection itself. At most one
// goroutine, theirs or ours, is in a Read of the connection (busy): whoever comes
// second waits for the outcome of the first. So no byte overtakes another.
//
// It is not done by reading r.Body: net/http's body has a mutex that a handler's
// first write takes, and its first read sends 100 Continue.
//
// Deadlines are those of the connection: they end our goroutine's Read, and a read
// that waits for it. While our goroutine is not in a Read, the connection has the
// deadline that was set last. While it is, there are two exceptions:
//   - woken: stop has set one in the past to get it out of there. It puts the
//     other one back before it lets go of busy; until then nobody else reads.
//   - expired: the deadline has passed, which is the business of those who read
//     with it. Ours reads on without one, as the client may still leave.
//
// ahead.mu may be taken with tcp.mu held, and is a leaf but for the lock inside a
// connection's SetDeadline. No Read is called with it held.
type ahead struct {
	below net.Conn
	tcp   *tcp
	limit int

	mu    sync.Mutex
	moved sync.Cond // something of the following has changed

	queue blocks
	err   error // of the connection, behind what the queue holds; delivered once, as it was given

	busy    bool // somebody is in below.Read
	filling bool // it is our goroutine
	running bool // our goroutine exists
	wanted  bool // a request with a body is attached
	ended   bool // a Read has failed: there is nothing more to read ahead
	closed  bool

	deadline time.Time // set last
	sets     uint      // how often it was set
	expired  error     // what the connection said when deadline had passed; nil again with the next deadline
	woken    bool
}

// smallBody is a length that any receive window has room for.
const smallBody = 4 << 10

// longAgo is a deadline that ends a Read at once.
var longAgo = time.Unix(1, 0)

// readAhead makes c's connection read ahead, if o says so and c is ours. It is
// called before anything reads from c.
func readAhead(c net.Conn, o *Options) {
	w := connOf(c)
	if w == nil || o.BodyReadAhead == 0 {
		return
	}
	a := &ahead{below: w.Conn, tcp: &w.tcp, limit: o.BodyReadAhead}
	a.moved.L = &a.mu
	w.tcp.ahead.CompareAndSwap(nil, a)
}

// mayBlock reports whether r's body may fill the receive window.
func mayBlock(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && (r.ContentLength < 0 || r.ContentLength > smallBody)
}

// start begins to read ahead. It does nothing on a connection that knows no
// deadlines: stop could not end it.
func (a *ahead) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.ended {
		return
	}
	if !a.running {
		if a.below.SetReadDeadline(a.deadline) != nil {
			return
		}
		a.running = true
		go a.run()
	}
	a.wanted = true // one that stop has woken, and that has not left yet, goes on
	a.moved.Broadcast()
}

// stop ends reading ahead, and does not wait until the goroutine has left. What
// the queue holds is read next.
func (a *ahead) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = false
	if a.filling && !a.woken {
		// The deadline stays until the goroutine is out of its Read, should it
		// not even have entered it. An error means that the connection is
		// closed, which ends the Read as well.
		a.woken = a.below.SetReadDeadline(longAgo) == nil
	}
	a.moved.Broadcast()
}

// stopAhead ends reading ahead, at the end of a request or at a Hijack.
func (t *tcp) stopAhead() {
	if a := t.ahead.Load(); a != nil {
		a.stop()
	}
}

// close is called before the connection is closed. From then on every read fails: what the connection
// still gives is behind what the queue held.
func (a *ahead) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if !a.running {
		a.queue.release()
	}
	a.moved.Broadcast()
}

func (a *ahead) run() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.mayFill() {
		a.fill()
	}
	a.running = false
	if a.closed || a.queue.held == 0 {
		a.queue.release()
	}
}

// mayFill waits until there is something to do, and reports whether there is.
func (a *ahead) mayFill() bool {
	for a.wanted && !a.closed && !a.ended {
		if !a.busy && a.queue.held < a.limit {
			return true
		}
		a.moved.Wait()
	}
	return false
}

// fill reads once. It is called and returns with mu held. Evidence is told at
// once, before the bytes in front of it are read by anybody: that is what all this
// is for.
func (a *ahead) fill() {
	space, sets := a.queue.space(a.limit), a.sets
	if a.expired != nil {
		_ = a.below.SetReadDeadline(time.Time{})
	}
	a.busy, a.filling = true, true
	a.mu.Unlock()

	n, err := a.below.Read(space)
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil && !late {
		a.tcp.note(err, wire.ReadErr)
	}

	a.mu.Lock()
	a.queue.put(n)
	switch {
	case err != nil && !late:
		a.err, a.ended = err, true
	case late && !a.woken && sets == a.sets:
		a.expired = err // else it is stop's, or of a deadline that has been replaced
	}
	if a.woken || a.expired != nil {
		_ = a.below.SetReadDeadline(a.deadline)
	}
	a.busy, a.filling, a.woken = false, false, false
	a.moved.Broadcast()
}

// read is the connection's Read. A Read without anything read ahead and without
// our goroutine in the way is passed on.
func (a *ahead) read(p []byte) (int, error) {
	a.mu.Lock()
	for !a.closed && (a.busy || a.queue.held > 0 || a.err != nil) {
		if n, ok, err := a.serve(p); ok {
			a.mu.Unlock()
			return n, err
		}
		a.moved.Wait()
	}
	if a.closed {
		a.mu.Unlock()
		return 0, a.failed(net.ErrClosed)
	}
	a.busy = true
	a.mu.Unlock()

	n, err := a.below.Read(p)

	a.mu.Lock()
	a.busy = false
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		a.ended = true // its kind is about to be noted: no second Read must give another
	}
	a.moved.Broadcast()
	a.mu.Unlock()
	return n, err
}

// serve answers a read by what is there: false if it has to wait. A net.Conn looks
// at the length first, at the deadline next, and only then for data: a deadline
// that has passed fails a Read that has all it needs.
func (a *ahead) serve(p []byte) (n int, ok bool, err error) {
	if len(p) == 0 {
		return 0, true, nil
	}
	if err := a.late(); err != nil {
		return 0, true, err
	}
	if a.queue.held > 0 {
		n := a.queue.take(p)
		if a.queue.held == 0 && !a.running {
			a.queue.release()
		}
		a.moved.Broadcast() // there is room
		return n, true, nil
	}
	if a.err != nil {
		err, a.err = a.err, nil // the connection itself is asked for the next one
		return 0, true, err
	}
	return 0, false, nil
}

// late returns the error of a read behind its deadline, nil if it is not.
func (a *ahead) late() error {
	switch {
	case a.expired != nil:
		return a.expired
	case a.deadline.IsZero() || time.Until(a.deadline) > 0:
		return nil
	}
	return a.failed(os.ErrDeadlineExceeded)
}

// failed returns err as a connection's Read returns it.
func (a *ahead) failed(err error) error {
	local, remote := a.below.LocalAddr(), a.below.RemoteAddr()
	return &net.OpError{Op: "read", Net: local.Network(), Source: local, Addr: remote, Err: err}
}

// setDeadline is the connection's SetReadDeadline, or both's SetDeadline.
func (a *ahead) setDeadline(t time.Time, both bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadline, a.expired = t, nil
	a.sets++
	switch {
	case !a.woken && both:
		return a.below.SetDeadline(t)
	case !a.woken:
		return a.below.SetReadDeadline(t)
	case both:
		return a.below.SetWriteDeadline(t)
	}
	return nil // fill sets it, as soon as its Read has ended
}
