//go:build cgo && linux

package bench

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var answer = slices.Repeat([]byte("0123456789"), 10)

// BenchmarkCost compares a configured server with a plain one, for requests that
// nobody aborts: two servers in this process take turns with one client, another
// process, for slices of time; each iteration is a slice of both. It reports
// medians of
//
//   - req/s: of the configured server, and of the plain one;
//   - cost-%: by how much the configured one is slower, slice by slice;
//   - cpu-%: how much more processor time this process uses per request;
//   - allocs: how many allocations a request costs more.
func BenchmarkCost(b *testing.B) {
	for _, proto := range []string{"HTTP1", "HTTP1TLS", "HTTP2", "H2C", "HTTP3"} {
		b.Run(proto, func(b *testing.B) { cost(b, proto) })
	}
}

// slice is short, so that both of a pair meet the same noise of the machine.
const slice = 50 * time.Millisecond

// A bill is what a slice cost per request.
type bill struct{ wall, cpu, allocs float64 }

func cost(b *testing.B, proto string) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Write(answer)
		}
	})
	servers := [2]*server{newServer(b, false, h), newServer(b, true, h)}
	c := newClient(b)
	var bills [2][]bill
	for i := range b.N + 2 {
		for j := range servers {
			j ^= i & 1 // neither always goes first
			one := c.load(servers[j], proto)
			if i >= 2 { // warm
				bills[j] = append(bills[j], one)
			}
		}
	}
	var wall, cpu, allocs []float64
	for i, plain := range bills[0] {
		ours := bills[1][i]
		wall = append(wall, 100*(1-plain.wall/ours.wall)) // of requests per second
		cpu = append(cpu, 100*(ours.cpu/plain.cpu-1))
		allocs = append(allocs, ours.allocs-plain.allocs)
	}
	b.ReportMetric(1e9/middle(of(bills[0], func(x bill) float64 { return x.wall })), "plain-req/s")
	b.ReportMetric(1e9/middle(of(bills[1], func(x bill) float64 { return x.wall })), "req/s")
	b.ReportMetric(middle(of(bills[0], func(x bill) float64 { return x.allocs })), "plain-allocs")
	b.ReportMetric(middle(wall), "cost-%")
	b.ReportMetric(middle(cpu), "cpu-%")
	b.ReportMetric(middle(allocs), "allocs")
	b.ReportMetric(0, "ns/op")
	b.Logf("cost: quartiles %s %%; cpu %s %%, plain %.1f µs; load %s", quartiles(wall), quartiles(cpu),
		middle(of(bills[0], func(x bill) float64 { return x.cpu }))/1e3, load())
}

// load sends requests for a slice of time.
func (c *client) load(s *server, proto string) bill {
	addr := map[string]string{"HTTP1": s.clear, "H2C": s.clear, "HTTP3": s.quic}[proto]
	if addr == "" {
		addr = s.tls
	}
	cpu, mallocs := used()
	c.send(command{Proto: proto, Addr: addr, Load: slice})
	var l loaded
	c.receive(&l)
	cpu2, mallocs2 := used()
	n := float64(l.Requests)
	return bill{float64(l.Took) / n, float64(cpu2-cpu) / n, float64(mallocs2-mallocs) / n}
}

// used is this process's processor time and allocations.
func used() (cpu time.Duration, mallocs uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u unix.Rusage
	check(unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), m.Mallocs
}

func of(bills []bill, f func(bill) float64) (v []float64) {
	for _, b := range bills {
		v = append(v, f(b))
	}
	return v
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func quartiles(v []float64) string {
	v = slices.Sorted(slices.Values(v))
	return fmt.Sprintf("%.1f %.1f %.1f", v[len(v)/4], v[len(v)/2], v[len(v)*3/4])
}
