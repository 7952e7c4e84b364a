package httpwire_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// readerOf is a handler that reads as much of its body as its path says, checks
// it, and counts what it was told.
type readerOf struct {
	fired, wrong     atomic.Int64
	entered, returns atomic.Int64
}

func (h *readerOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.entered.Add(1)
	defer h.returns.Add(1)
	told := make(chan struct{}, 2)
	_, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { h.fired.Add(1); told <- struct{}{} })
	var share, total int
	_, _ = fmt.Sscanf(r.URL.Path, "/%d/%d", &share, &total)
	b := make([]byte, total*share/4)
	if n, err := io.ReadFull(r.Body, b); err != nil || !bytes.Equal(b, noise(total)[:n]) {
		h.wrong.Add(1)
	}
	if strings.HasSuffix(r.URL.Path, "/wait") {
		<-told // the client leaves, with the rest of its body unread, or this test hangs and says so
		return
	}
	if share == 4 && r.ContentLength >= 0 {
		if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			h.wrong.Add(1)
		}
	}
	_, _ = fmt.Fprintf(w, "%d", total)
}

// Keep-alive connections, pipelined and not, whose handlers read none, some or all
// of their bodies: every answer is right, nobody is told a disconnect but those
// who left, and nothing is left behind (goleak).
func TestStress_readAhead(t *testing.T) {
	for _, limit := range []int{700, 40_000, 1 << 20} {
		eachAhead(t, limit, func(t *testing.T, v variant) {
			h := new(readerOf)
			s := v.start(t, h)
			var wg sync.WaitGroup
			var next, aborts atomic.Int64
			for range 2 * runtime.GOMAXPROCS(0) {
				wg.Go(func() {
					for next.Add(1) <= int64(share(*requests, 60)) {
						s.converse(t)
						if limit == 1<<20 {
							s.leave(t)
							aborts.Add(1)
						}
					}
				})
			}
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			working(t, done, h.returns.Load, "the clients")
			waitFor(t, "those who left to be told", func() bool { return h.fired.Load() >= aborts.Load() })
			waitFor(t, "all handlers to return", func() bool { return h.entered.Load() == h.returns.Load() })
			if h.fired.Load() != aborts.Load() || h.wrong.Load() != 0 {
				t.Errorf("%d fired, %d left, %d wrong reads", h.fired.Load(), aborts.Load(), h.wrong.Load())
			}
		})
	}
}

// converse has some requests answered on one connection: one by one, or pipelined.
func (s *server) converse(t testing.TB) {
	c, _ := s.dial(t)
	defer func() { _ = c.Close() }()
	br := bufio.NewReader(c)
	for range 3 {
		var sizes []int
		var out bytes.Buffer
		for range 1 + rand.IntN(4) {
			n := rand.IntN(60_000)
			sizes = append(sizes, n)
			fmt.Fprintf(&out, "POST /%d/%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", rand.IntN(5), n, n)
			out.Write(noise(n))
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for out.Len() > 0 {
				if _, err := c.Write(out.Next(1 + rand.IntN(30_000))); err != nil {
					return
				}
			}
		}()
		for _, n := range sizes {
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != fmt.Sprint(n) {
				t.Errorf("answered %q, %v; want %d", b, err, n)
				return
			}
		}
		<-sent
	}
}

// leave sends more than a receive window and closes, with a handler that reads at
// most a part of it.
func (s *server) leave(t testing.TB) {
	c, _ := s.dial(t)
	n := 600_000
	_, _ = fmt.Fprintf(c, "POST /%d/%d/wait HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", rand.IntN(4), n, n)
	if _, err := c.Write(noise(n)); err != nil {
		t.Error(err)
	}
	_ = c.Close()
}
