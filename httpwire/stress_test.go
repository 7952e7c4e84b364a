package httpwire_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/stress"
)

// stressed runs f for each way to serve whose evidence is all there.
func stressed(t *testing.T, f func(t *testing.T, v variant, n func(int) int)) {
	var vs []variant
	for _, v := range variants {
		if !v.bare {
			vs = append(vs, v)
		}
	}
	before := cancel.FlagsInUse()
	for _, v := range vs {
		t.Run(v.name, func(t *testing.T) { f(t, v, func(all int) int { return share(all, len(vs)) }) })
	}
	waitFor(t, "the flags to be given back", func() bool { return cancel.FlagsInUse() == before })
	waitFor(t, "the monitor to be left empty", func() bool { return httpwire.Monitored() <= 0 })
}

// H3, C3, rule 3: of many requests that end normally, in all ways there are, on
// servers that are closed and shut down under their clients, none fires. Nothing
// is left: no flag, no entry of the monitor, no goroutine (goleak in TestMain).
func TestStress_completions(t *testing.T) {
	stressed(t, func(t *testing.T, v variant, n func(int) int) {
		h := stress.NewHandler()
		f := &fleet{t: t, v: v, h: h}
		f.replace()
		want := int64(n(*requests))
		start := time.Now()
		limit := start.Add(2*bound + time.Duration(want)*50*time.Millisecond)
		var failed, stuck atomic.Int64
		var wg sync.WaitGroup
		for range 8 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for h.Entered.Load() < want && stuck.Load() == 0 {
					m := f.member.Load()
					if stress.Take(m.client, stress.Request(v.proto, m.url(""))) != nil {
						failed.Add(1)
					}
					if time.Now().After(limit) {
						stuck.Add(1)
					}
				}
			})
		}
		f.replaceUntil(func() bool { return h.Entered.Load() >= want || stuck.Load() != 0 }, max(want/20, 50))
		wg.Wait()
		f.end()
		t.Logf("%d completions on %d servers in %v: %d fired; %d without an answer (panics, deadlines, closed servers): %s",
			h.Entered.Load(), f.servers, time.Since(start).Round(time.Millisecond), h.Fired.Load(), failed.Load(), h.Counts())
		if h.Fired.Load() != 0 {
			t.Errorf("%d fired, the first: %s", h.Fired.Load(), *h.First.Load())
		}
		if h.Refused.Load() != 0 || stuck.Load() != 0 || failed.Load() > want/2 {
			t.Errorf("%d registrations refused, %d stuck, %d failed", h.Refused.Load(), stuck.Load(), failed.Load())
		}
	})
}

// A fleet is one server after the other, with a client for each.
type fleet struct {
	t       *testing.T
	v       variant
	h       *stress.Handler
	member  atomic.Pointer[member]
	servers int
	ending  sync.WaitGroup
}

type member struct {
	*server
	client *http.Transport
	stop   func()
}

// replace starts a new server, lets the clients go there, and ends the old one
// under those that still wait for it: in turn by Close, by Shutdown, and by a
// Shutdown whose deadline passes, and then Close. Of the servers too there are
// kinds: without limits, with a ReadTimeout, with a WriteTimeout.
func (f *fleet) replace() {
	s := f.v.configure(f.t, f.h, func(s *http.Server) {
		switch f.servers % 3 {
		case 1:
			s.ReadTimeout = stress.ShortLimit
		case 2:
			s.WriteTimeout = stress.ShortLimit
		}
	})
	m := &member{server: s, client: f.v.transport()}
	m.stop = s.listenUntilStopped(f.t)
	old := f.member.Swap(m)
	f.servers++
	if old == nil {
		return
	}
	way := f.servers % 4
	f.ending.Go(func() {
		patience := 500 * time.Millisecond // net/http waits for connections that were never used, and for HTTP/2 ones that began meanwhile
		if way == 1 {
			patience = time.Millisecond
		}
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		if way != 0 {
			_ = old.Shutdown(ctx)
		}
		_ = old.Close()
		old.stop()
		old.client.CloseIdleConnections()
	})
}

func (f *fleet) replaceUntil(done func() bool, every int64) {
	for next := f.h.Entered.Load() + every; !done(); time.Sleep(time.Millisecond) {
		if f.h.Entered.Load() >= next {
			f.replace()
			next += every
		}
	}
}

func (f *fleet) end() {
	m := f.member.Load()
	_ = m.Close()
	m.stop()
	m.client.CloseIdleConnections()
	f.ending.Wait()
}

// listenUntilStopped is listen for servers that are too many for a Cleanup each.
// stop is called when the server has been closed, and waits for its connections.
func (s *server) listenUntilStopped(t testing.TB) (stop func()) {
	l := listen(t)
	s.addr = l.Addr().String()
	l = httpwire.Listener(l)
	served := make(chan error, 1)
	go func() {
		if s.tls {
			served <- s.ServeTLS(l, "", "")
		} else {
			served <- s.Serve(l)
		}
	}()
	return func() {
		<-served
		s.conns.Wait()
	}
}

func (s *server) url(path string) string {
	if s.tls {
		return "https://" + s.addr + path
	}
	return "http://" + s.addr + path
}

func (v variant) transport() *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols), MaxIdleConnsPerHost: 64}
	tr.Protocols.SetHTTP1(v.proto == httpwire.HTTP1)
	tr.Protocols.SetHTTP2(v.proto == httpwire.HTTP2 && v.tls)
	tr.Protocols.SetUnencryptedHTTP2(v.proto == httpwire.HTTP2 && !v.tls)
	return tr
}

// complete sends a GET and reads the answer.
func complete(t testing.TB, tr *http.Transport, url string) {
	t.Helper()
	if err := stress.Take(tr, get(url)); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// waitFor polls for a state that no event announces.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", bound, what)
		}
	}
}

// working waits for the end of what takes as long as it takes: only a standstill, of
// so many steps done, is bounded.
func working(t testing.TB, done <-chan struct{}, steps func() int64, what string) {
	t.Helper()
	for before := int64(-1); ; {
		timer := time.NewTimer(bound)
		select {
		case <-done:
			timer.Stop()
			return
		case <-timer.C:
		}
		n := steps()
		if n == before {
			t.Fatalf("waited %v for %s, at a standstill behind %d steps", bound, what, n)
		}
		before = n
	}
}
