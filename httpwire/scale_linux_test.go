package httpwire_test

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

var connections = flag.Int("hangup.connections", 2000,
	"idle connections in the scale tests; fewer if the limit of descriptors or the race detector demands it")

// crowdSize is how many connections this process can have.
func crowdSize(t *testing.T) int {
	t.Helper()
	n := *connections
	if testing.Short() {
		n = min(n, 500)
	}
	if raceEnabled {
		n = min(n, 2000) // it dies of 8128 goroutines
	}
	var lim syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim))
	n = min(n, int(lim.Cur)-descriptors(t)-64)
	t.Logf("%d connections (limit of descriptors: %d)", n, lim.Cur)
	return n
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(d)
}

// A census is what so many connections cost.
type census struct {
	goroutines, descriptors int
	heap, stack             int64
	registrations           int // with epoll
}

func count(t *testing.T) census {
	t.Helper()
	runtime.GC()
	runtime.GC() // what sync.Pool kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return census{
		runtime.NumGoroutine(), descriptors(t), int64(m.HeapAlloc), int64(m.StackInuse), registrations(t),
	}
}

// registrations counts what the epoll instances of this process watch: Go's own
// poller's, and ours.
func registrations(t *testing.T) (n int) {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range d {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to != "anon_inode:[eventpoll]" {
			continue
		}
		b, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		must(t, err)
		n += bytes.Count(b, []byte("tfd:"))
	}
	return n
}

func (c census) minus(b census) census {
	return census{
		c.goroutines - b.goroutines, c.descriptors - b.descriptors,
		c.heap - b.heap, c.stack - b.stack, c.registrations - b.registrations,
	}
}

func (c census) log(t *testing.T, what string, n int) {
	t.Helper()
	f := func(x int64) float64 { return float64(x) / float64(n) }
	t.Logf("%-12s per connection: %.3f goroutines, %.3f descriptors, %.0f B heap, %.0f B stack, %.3f registrations",
		what, f(int64(c.goroutines)), f(int64(c.descriptors)), f(c.heap), f(c.stack), f(int64(c.registrations)))
}

// A hall is a server that counts its connections.
type hall struct {
	addr         string
	idle, closed atomic.Int64
}

// open serves h, on a configured server or on a plain one.
func open(t *testing.T, h http.Handler, configured bool) *hall {
	t.Helper()
	s := &hall{}
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	srv.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateIdle:
			s.idle.Add(1)
		case http.StateClosed:
			s.closed.Add(1)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.addr = l.Addr().String()
	if configured {
		must(t, httpwire.Configure(srv, nil))
		l = httpwire.Listener(l)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close(); receive(t, served, "Serve to return") })
	return s
}

// extraHeap bounds what an idle connection costs a configured server more than a
// plain one, in bytes of heap: twice what was measured.
const extraHeap = 520

// An idle connection costs no goroutine and no descriptor of ours, and little
// memory; and when all are dropped at once, each is noticed and forgotten.
func TestScale_idleConnections(t *testing.T) {
	n := crowdSize(t)
	warmUp(n)
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	plain := idleConns(t, "plain", hello, n, false)
	ours := idleConns(t, "configured", hello, n, true)

	extra := ours.minus(plain)
	extra.log(t, "difference", n)
	t.Logf("the connection's own struct: %d B; 500,000 connections: %d MB of heap, %d MB in the kernel",
		httpwire.ConnSize(), extra.heap*500_000/int64(n)>>20, 500_000*epitem>>20)
	procs := (n + perProcess - 1) / perProcess // each with two pipes and a pidfd
	if want := n + 1; ours.goroutines > want {
		t.Errorf("%d goroutines, want at most %d: net/http's and the monitor's", ours.goroutines, want)
	}
	if want := n + 3*procs + 2; ours.descriptors > want {
		t.Errorf("%d descriptors, want at most %d: the connections, epoll's and its eventfd", ours.descriptors, want)
	}
	if want := 2*n + 2*procs + 1; ours.registrations > want {
		t.Errorf("%d registrations with epoll, want at most %d: Go's, ours and the eventfd", ours.registrations, want)
	}
	if each := extra.heap / int64(n); each > extraHeap && !raceEnabled {
		t.Errorf("%d bytes of heap more for each connection than the plain server, want at most %d", each, extraHeap)
	}
}

// warmUp starts goroutines, so that the plain server, which comes first, is not
// charged with what the runtime keeps of a goroutine that has ended.
func warmUp(n int) {
	end := make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { <-end })
	}
	close(end)
	wg.Wait()
}

// epitem is what the kernel keeps for each registration with epoll: a struct
// epitem (128 B) and a struct eppoll_entry (72 B), see /proc/slabinfo.
const epitem = 200

// idleConns returns what n idle connections cost, and drops them.
func idleConns(t *testing.T, what string, h http.Handler, n int, configured bool) census {
	t.Helper()
	waitFor(t, "the last test's monitor to end", func() bool { return httpwire.Monitored() == -1 })
	s := open(t, h, configured)
	before := count(t)
	started := time.Now()
	drop := clients(t, s.addr, n, 0)
	waitFor(t, "the connections to be idle", func() bool { return s.idle.Load() == int64(n) })
	t.Logf("%s: connected in %v", what, time.Since(started).Round(time.Millisecond))
	if got := httpwire.Monitored(); configured && got != n {
		t.Errorf("%d connections are monitored, want %d", got, n)
	}
	all := count(t)
	c := all.minus(before)
	c.log(t, what, n)

	started = time.Now()
	drop()
	s.empty(t, n, before)
	t.Logf("%s: all gone after %v", what, time.Since(started).Round(time.Millisecond))
	return c
}

// empty waits until n connections are closed and nothing of them is left.
func (s *hall) empty(t *testing.T, n int, before census) {
	t.Helper()
	waitFor(t, "the connections to be closed", func() bool { return s.closed.Load() == int64(n) })
	waitFor(t, "the monitor to end", func() bool { return httpwire.Monitored() == -1 })
	waitFor(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before.goroutines })
	waitFor(t, "the registrations to end", func() bool { return registrations(t) <= before.registrations })
	waitFor(t, "the descriptors to be closed", func() bool { return descriptors(t) <= before.descriptors })
}

// When all connections drop at once, each handler among them is told, once. Their
// requests have a body that never comes: nothing but the monitor can see them go.
func TestScale_handlersAmongIdle(t *testing.T) {
	waitFor(t, "the last test's monitor to end", func() bool { return httpwire.Monitored() == -1 })
	n := crowdSize(t)
	held := min(2000, n/2)
	var entered, told, wrong, returned atomic.Int64
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/held" {
			return
		}
		defer returned.Add(1)
		first := make(chan struct{}, 2)
		_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
			told.Add(1)
			if d.Kind != httpwire.Closed || d.Source != httpwire.SourceMonitor {
				wrong.Add(1)
			}
			first <- struct{}{}
		})
		if err != nil {
			wrong.Add(1)
			return
		}
		entered.Add(1)
		<-first
	}), true)
	before := count(t)
	drop := clients(t, s.addr, n, held)
	waitFor(t, "the handlers to be entered and the rest to be idle", func() bool {
		return entered.Load() == int64(held) && s.idle.Load() == int64(n-held)
	})
	if told.Load() != 0 {
		t.Errorf("%d handlers are told while all clients are there", told.Load())
	}
	started := time.Now()
	drop()
	waitFor(t, "the handlers to return", func() bool { return returned.Load() == int64(held) })
	t.Logf("%d handlers told and returned %v after the drop", held, time.Since(started).Round(time.Millisecond))
	s.empty(t, n, before)
	if told.Load() != int64(held) || wrong.Load() != 0 {
		t.Errorf("%d handlers: %d told, %d wrong", held, told.Load(), wrong.Load())
	}
}
