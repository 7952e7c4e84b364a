package httpwire_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// A tally counts what a stress test's handlers met with.
type tally struct {
	entered, left atomic.Int64
	fired, twice  atomic.Int64
	wrong         atomic.Int64 // kinds that this protocol does not have
	v             variant
}

// ServeHTTP returns at once, or waits for its client to leave.
func (y *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	y.entered.Add(1)
	defer y.left.Add(1)
	var count atomic.Int64
	told := make(chan struct{}, 8)
	_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
		y.fired.Add(1)
		if count.Add(1) > 1 {
			y.twice.Add(1)
		}
		if d.Proto != y.v.proto || d.Kind == httpwire.StreamReset && !d.HasCode {
			y.wrong.Add(1)
		}
		told <- struct{}{}
	})
	if err != nil {
		y.wrong.Add(1)
	}
	if r.URL.Path == "/wait" {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		<-told // the cause was the client, or this test hangs and says so
		if !errors.Is(context.Cause(r.Context()), httpwire.ErrDisconnected) {
			y.wrong.Add(1)
		}
		return
	}
	_, _ = io.WriteString(w, "done")
}

// H1, H3, C2: many normal completions fire nothing; requests aborted in the
// middle, among them, each fire once; nothing is left behind (goleak in TestMain).
func TestStress_completionsAndAborts(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		y := &tally{v: v}
		s := v.start(t, y)
		tr := v.transport()
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr}
		workers := 4 * runtime.GOMAXPROCS(0)
		var next, aborted atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for n := next.Add(1); n <= int64(*requests); n = next.Add(1) {
					if n%10 == 0 {
						abort(t, client, s.url("/wait"))
						aborted.Add(1)
					}
					complete(t, client, s.url("/"), n, v.proto == httpwire.HTTP1 && n%16 == 3)
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(bound + time.Duration(*requests)*10*time.Millisecond):
			t.Fatalf("stuck: %d of %d", next.Load(), *requests)
		}
		tr.CloseIdleConnections()
		waitFor(t, "all handlers to return", func() bool { return y.entered.Load() == y.left.Load() })
		if y.fired.Load() != aborted.Load() || y.twice.Load()+y.wrong.Load() != 0 {
			t.Errorf("%d aborted, %d fired, %d twice, %d wrong", aborted.Load(), y.fired.Load(), y.twice.Load(), y.wrong.Load())
		}
	})
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

// complete sends one of the usual kinds of request and reads the answer.
func complete(t testing.TB, c *http.Client, url string, n int64, closing bool) {
	method, body := "GET", io.Reader(nil)
	switch n % 4 {
	case 1:
		method = "HEAD"
	case 2:
		method, body = "POST", io.LimitReader(zeros{}, rand.Int64N(10000))
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Error(err)
		return
	}
	req.Close = closing
	resp, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// abort leaves once the handler has been entered.
func abort(t testing.TB, c *http.Client, url string) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Error(err)
		return
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	stop()
	_ = resp.Body.Close()
}

// waitFor polls for a state that no event announces.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", bound, what)
		}
	}
}

// H1: a client that leaves at any moment, headers included: whoever reached a
// handler is told, nobody twice, and the server lives.
func TestStress_abortsAnytime(t *testing.T) {
	each(t, 0, func(t *testing.T, v variant) {
		var entered, told, wrong atomic.Int64
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/wait" {
				return
			}
			entered.Add(1)
			once := make(chan struct{}, 2)
			_, _ = httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) { once <- struct{}{} })
			<-once
			told.Add(1)
			if !errors.Is(context.Cause(r.Context()), httpwire.ErrDisconnected) {
				wrong.Add(1)
			}
		}))
		for i := range max(*requests/10, 20) {
			if v.proto == httpwire.HTTP2 {
				c := s.h2(t)
				ids := []uint32{c.headers("GET", "/wait", true), c.headers("POST", "/wait", false)}
				must(t, c.fr.WriteRSTStream(ids[i%2], 8))
				b := c.out.Bytes()
				c.out.Truncate(len(b) - rand.IntN(len(b)))
				c.flush()
				_ = c.below.SetLinger(i % 2 * -1)
				_ = c.below.Close()
				continue
			}
			c, below := s.dial(t)
			msg := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "/wait")
			_, _ = io.WriteString(c, msg[:len(msg)-rand.IntN(len(msg))])
			_ = below.SetLinger(i % 2 * -1)
			_ = below.Close()
		}
		tr := v.transport()
		defer tr.CloseIdleConnections()
		complete(t, &http.Client{Transport: tr}, s.url("/"), 0, false)
		// Its connection was the last to be accepted, so all others are counted. A handler that
		// is entered after Server.Close is told nothing: wait for them first.
		tr.CloseIdleConnections()
		s.drained(t)
		waitFor(t, "all handlers to be told", func() bool { return entered.Load() == told.Load() })
		if wrong.Load() != 0 {
			t.Errorf("%d of %d with a wrong cause", wrong.Load(), entered.Load())
		}
	})
}
