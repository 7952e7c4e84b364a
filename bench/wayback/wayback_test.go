//go:build cgo && linux

package wayback

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// BenchmarkStages reports the times between these, for each way to leave:
//
//	flag    the client, another process, leaves -> the call's flag is set
//	seen    -> C, which sleeps on it, has seen it
//	back    -> the function is back in Go
//	done    -> Do has returned
//	total   the client leaves -> Do has returned
//	way     the flag is set -> Do has returned
//	watch   the client leaves -> another goroutine is back from <-r.Context().Done()
//
// while goroutines compute, so many per processor (busy), in so many Ps:
//
//	x1 to x4   one to four per processor
//	spare      as many as goroutines compute, and one more per processor
//	bounded    two per processor; of the goroutines only one per processor computes at a time, by a semaphore
//	yield      x1; they call runtime.Gosched every 100 µs
//	nice, fifo  spare; the call's thread is locked, and has a higher priority
//	nice1      x1, likewise
//	inline     x1, by native.Inline
//	poll       x1; each connection's reader waits in poll(2), on a thread of its own, and not in Go's poller
//	slices     x1; the native call comes back to Go every 100 µs, yields, and goes on
//
// The requests are there, their calls asleep in C, before the load begins.
func BenchmarkStages(b *testing.B) {
	for _, way := range []string{"h1", "h2-close", "h2c-close", "h2", "h2c", "h3", "h3-close"} {
		for _, busy := range []int{0, 1, 4, 16} {
			for _, how := range hows {
				b.Run(fmt.Sprintf("%s/busy%d/%s", way, busy, how.name), func(b *testing.B) {
					stages(b, way, busy*runtime.NumCPU(), how)
				})
			}
		}
	}
}

type how struct {
	name    string
	procs   int // per processor; 0: spare
	bounded bool
	yield   time.Duration
	nice    int
	fifo    bool
	inline  bool
	poll    bool
	slices  time.Duration
}

var hows = []how{
	{name: "x1", procs: 1}, {name: "x2", procs: 2}, {name: "x3", procs: 3}, {name: "x4", procs: 4}, {name: "spare"},
	{name: "bounded", procs: 2, bounded: true}, {name: "yield", procs: 1, yield: 100 * time.Microsecond},
	{name: "nice", nice: -10}, {name: "fifo", fifo: true}, {name: "nice1", procs: 1, nice: -10}, {name: "inline", procs: 1, inline: true},
	{name: "poll", procs: 1, poll: true}, {name: "slices", procs: 1, slices: 100 * time.Microsecond},
}

const batch = 50

// settle is for the load to have run everywhere.
const settle = 100 * time.Millisecond

type row struct{ left, flag, seen, back, done, woke int64 }

func stages(b *testing.B, way string, busy int, how how) {
	s := newServer(b, how)
	c := newClient(b)
	var rows []row
	var work float64
	cpu := cpuTime()
	start := time.Now()
	rounds := 0
	for ; len(rows) < b.N; rounds++ {
		got, per := s.round(c, way, busy, how)
		rows, work = append(rows, got...), work+per
	}
	b.ReportMetric(0, "ns/op")
	var table strings.Builder
	for _, st := range []struct {
		name string
		of   func(r row) int64
	}{
		{"flag", func(r row) int64 { return r.flag - r.left }},
		{"seen", func(r row) int64 { return r.seen - r.flag }},
		{"back", func(r row) int64 { return r.back - r.seen }},
		{"done", func(r row) int64 { return r.done - r.back }},
		{"total", func(r row) int64 { return r.done - r.left }},
		{"way", func(r row) int64 { return r.done - r.flag }},
		{"watch", func(r row) int64 { return r.woke - r.left }},
	} {
		report(b, &table, st.name, rows, st.of)
	}
	b.ReportMetric(work/float64(rounds), "work/ms")
	b.Logf("%s busy %d, %s: %d samples, work %.0f/ms, cpu %.2f of %d, load %s%s", way, busy, how.name, len(rows), work/float64(rounds),
		float64(cpuTime()-cpu)/float64(time.Since(start)), runtime.NumCPU(), load(), &table)
}

func report(b *testing.B, table *strings.Builder, name string, rows []row, of func(row) int64) {
	took := make([]int64, len(rows))
	for i, r := range rows {
		took[i] = of(r)
	}
	slices.Sort(took)
	fmt.Fprintf(table, "\n%-6s", name)
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		v := float64(took[int(q*float64(len(took)-1))]) / 1e3
		fmt.Fprintf(table, "  p%g %.0f", q*100, v)
		if q == 0.5 || q == 0.99 {
			b.ReportMetric(v, fmt.Sprintf("%s-p%g-µs", name, q*100))
		}
	}
	table.WriteString(" µs")
}

func load() string {
	load, _ := os.ReadFile("/proc/loadavg")
	return strings.TrimSpace(string(load))
}

func cpuTime() time.Duration {
	var u unix.Rusage
	check(unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// round has a batch of requests, and returns what it measured, and how much work the load did per millisecond.
func (s *server) round(c *client, way string, busy int, how how) ([]row, float64) {
	proto, _, _ := strings.Cut(way, "-")
	addr := map[string]string{"h1": s.clear, "h2c": s.clear, "h2": s.tls, "h3": s.quic}[proto]
	must(s.b, c.in.Encode(command{Way: way, Addr: addr, N: batch, Gap: 5 * time.Millisecond}))
	for range batch {
		<-s.inside
	}
	time.Sleep(settle / 10) // into C
	procs := how.procs * runtime.NumCPU()
	if procs == 0 {
		procs = busy + runtime.NumCPU()
	}
	before := runtime.GOMAXPROCS(procs)
	stop, done := keepBusy(busy, how)
	time.Sleep(settle)
	begin, was := time.Now(), done()
	must(s.b, c.in.Encode(struct{}{}))
	rows := make([]row, batch)
	for range batch {
		r := <-s.rows
		rows[r.i] = r.row
	}
	work := float64(done()-was) / (float64(time.Since(begin)) / 1e6)
	stop()
	runtime.GOMAXPROCS(before)
	var left []int64
	must(s.b, c.out.Decode(&left))
	must(s.b, c.in.Encode(struct{}{}))
	for i, at := range left {
		rows[i].left = at
	}
	return rows, work
}

// keepBusy has n goroutines compute until stop; done is how much they have.
func keepBusy(n int, how how) (stop func(), done func() uint64) {
	var over atomic.Bool
	counts := make([]struct {
		n atomic.Uint64
		_ [56]byte
	}, n)
	places := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var since time.Time
			for !over.Load() {
				if how.bounded {
					places <- struct{}{}
				}
				for range 100 { // a slice of about 1 ms
					for range 10_000 {
					}
					counts[i].n.Add(1)
					if how.yield != 0 && time.Since(since) > how.yield {
						runtime.Gosched()
						since = time.Now()
					}
					if over.Load() {
						break
					}
				}
				if how.bounded {
					<-places
				}
			}
		})
	}
	return func() { over.Store(true); wg.Wait() }, func() (sum uint64) {
		for i := range counts {
			sum += counts[i].n.Load()
		}
		return sum
	}
}

type numbered struct {
	i   int
	row row
}

// A server serves the measured handler on every protocol.
type server struct {
	b                *testing.B
	how              how
	clear, tls, quic string
	inside           chan struct{}
	rows             chan numbered
	offset           int64 // clock at epoch
}

var epoch = time.Now()

func newServer(b *testing.B, how how) *server {
	now, at := time.Since(epoch), clock()
	s := &server{b: b, how: how, inside: make(chan struct{}, batch), rows: make(chan numbered, batch), offset: at - int64(now)}
	protos := new(http.Protocols)
	protos.SetHTTP1(true)
	protos.SetHTTP2(true)
	protos.SetUnencryptedHTTP2(true)
	config := &tls.Config{Certificates: []tls.Certificate{certificate(b)}}
	srv := &http.Server{Handler: s, TLSConfig: config, Protocols: protos}
	srv3 := &http3.Server{Handler: s, TLSConfig: http3.ConfigureTLSConfig(config.Clone())}
	must(b, httpwire.Configure(srv, nil))
	must(b, h3.Configure(srv3, nil))
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(b, err)
		if s.how.poll {
			l = polling{l}
		}
		return httpwire.Listener(l)
	}
	plain, secure := listen(), listen()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(b, err)
	s.clear, s.tls, s.quic = plain.Addr().String(), secure.Addr().String(), udp.LocalAddr().String()
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(plain) })
	wg.Go(func() { _ = srv.ServeTLS(secure, "", "") })
	wg.Go(func() { _ = srv3.Serve(udp) })
	b.Cleanup(func() {
		_ = srv.Close()
		_ = srv3.Close()
		wg.Wait()
		_ = udp.Close()
	})
	return s
}

func (s *server) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	i, err := strconv.Atoi(r.URL.Path[1:])
	check(err)
	ctx := r.Context()
	woke := make(chan int64, 1)
	go func() { <-ctx.Done(); woke <- clock() }()
	var m row
	do := native.Do[int]
	if s.how.inline {
		do = native.Inline[int]
	}
	_, _ = do(ctx, func(c *native.Call) (int, error) {
		if s.how.nice != 0 || s.how.fifo {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			defer s.raise()()
		}
		p := c.Flag().Pointer()
		s.inside <- struct{}{}
		if s.how.slices == 0 {
			m.seen = nativetest.SeenAsleep(p, time.Minute, nil)
		}
		for m.seen == 0 {
			m.seen = nativetest.SeenAsleep(p, s.how.slices, nil)
			runtime.Gosched()
		}
		m.back = clock()
		return 0, context.Cause(ctx)
	})
	m.done = clock()
	m.flag = int64(cancel.FromContext(ctx).FlagSetAt().Sub(epoch)) + s.offset
	m.woke = <-woke
	s.rows <- numbered{i, m}
}

// raise raises the priority of this thread until the function that it returns.
func (s *server) raise() (lower func()) {
	tid := unix.Gettid()
	if s.how.fifo {
		check(unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0))
		return func() { check(unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr}, 0)) }
	}
	check(unix.Setpriority(unix.PRIO_PROCESS, tid, s.how.nice))
	return func() { check(unix.Setpriority(unix.PRIO_PROCESS, tid, 0)) }
}

// polling is a listener whose connections' readers block in poll(2).
type polling struct{ net.Listener }

func (l polling) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	return pollConn{c.(*net.TCPConn), raw}, err
}

type pollConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

func (c pollConn) Read(p []byte) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = c.raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				return
			}
		}
	})
	return c.TCPConn.Read(p)
}

func certificate(b *testing.B) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b, err)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	must(b, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
