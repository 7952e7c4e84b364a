//go:build cgo && linux

package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
)

// BenchmarkFlag reports the time from the client's close of an HTTP/1 connection,
// in another process, while so many goroutines per processor compute,
//
//   - afterfunc: to a function of context.AfterFunc's that has begun to run, on a plain server;
//   - flag: to the request's flag being set. The thread that sets it stamps the time behind the
//     store; Disconnect.Time is that;
//   - fifo: the same with the thread's priority raised, where that is allowed.
//
// Rounds of many connections take turns: with all processors busy it takes seconds until their handlers
// wait.
func BenchmarkFlag(b *testing.B) {
	for _, busy := range []int{0, 4, 16} {
		b.Run(fmt.Sprintf("busy%d", busy), func(b *testing.B) {
			defer keepBusy(busy * runtime.NumCPU())()
			flags(b)
		})
	}
}

const batch = 50

func flags(b *testing.B) {
	plain, watched := newMarked(b, false), newMarked(b, true)
	c := newClient(b)
	var after, flag, fifo []time.Duration
	raised := httpwire.SetMonitorPriority(50) == nil
	for len(flag) < b.N {
		after = append(after, plain.leave(c)...)
		must(b, httpwire.SetMonitorPriority(0))
		flag = append(flag, watched.leave(c)...)
		if raised {
			must(b, httpwire.SetMonitorPriority(50))
			fifo = append(fifo, watched.leave(c)...)
		}
	}
	report(b, "afterfunc", after)
	report(b, "flag", flag)
	if raised {
		report(b, "fifo", fifo)
	}
	for _, q := range []struct {
		name string
		of   float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}} {
		b.ReportMetric(float64(quantile(after, q.of))/float64(quantile(flag, q.of)), "afterfunc/flag-"+q.name)
	}
	b.ReportMetric(0, "ns/op")
	b.Log("load ", load())
}

// quantile is of sorted times.
func quantile(took []time.Duration, q float64) time.Duration {
	return took[int(q*float64(len(took)-1))]
}

// A marked server says when it noticed each client's leaving, by the client's port.
type marked struct {
	*server
	b       *testing.B
	offset  int64
	inside  chan struct{}
	mu      sync.Mutex
	noticed map[uint16]int64
	all     chan struct{}
}

func newMarked(b *testing.B, configured bool) *marked {
	m := &marked{b: b, offset: clockOffset(), inside: make(chan struct{}, batch), all: make(chan struct{}, batch)}
	m.server = newServer(b, configured, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a, err := netip.ParseAddrPort(r.RemoteAddr)
		check(err)
		m.note(a.Port(), m.wait(r.Context(), configured))
		m.all <- struct{}{}
	}))
	return m
}

func (m *marked) wait(ctx context.Context, configured bool) int64 {
	if !configured {
		at := make(chan int64, 1)
		context.AfterFunc(ctx, func() { at <- clock() })
		m.inside <- struct{}{}
		return <-at
	}
	cancel.FromContext(ctx).Flag()
	m.inside <- struct{}{}
	<-ctx.Done()
	d, ok := context.Cause(ctx).(*httpwire.Disconnect)
	if !ok {
		panic(context.Cause(ctx))
	}
	return int64(d.Time.Sub(epoch)) + m.offset
}

func (m *marked) note(port uint16, at int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noticed[port] = at
}

// leave makes the client send a batch of requests, and leave them one by one.
func (m *marked) leave(c *client) (took []time.Duration) {
	m.noticed = make(map[uint16]int64)
	c.send(command{Proto: "HTTP1", Addr: m.clear, Quiet: quiet, Batch: batch})
	for range batch {
		within(m.b, "the handlers", m.inside)
	}
	c.send(struct{}{})
	for range batch {
		within(m.b, "the hang-ups to be noticed", m.all)
	}
	var left map[uint16]int64
	c.receive(&left)
	for port, at := range left {
		took = append(took, time.Duration(m.noticed[port]-at))
	}
	return took
}

// leaveAll is the client's side of it.
func leaveAll(c command, wait func()) (left map[uint16]int64) {
	left = make(map[uint16]int64)
	var closers []func()
	var ports []uint16
	for range c.Batch {
		fd, leave := closerOf(c.Addr)
		a, err := unix.Getsockname(fd)
		check(err)
		closers, ports = append(closers, leave), append(ports, uint16(a.(*unix.SockaddrInet4).Port))
	}
	wait()
	for i, leave := range closers {
		sleep(c.Quiet)
		left[ports[i]] = clock()
		leave()
	}
	return left
}
