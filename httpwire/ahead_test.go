package httpwire_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// wrappedHTTP1 are the ways to serve that read-ahead is for.
var wrappedHTTP1 = variants[:2]

func eachAhead(t *testing.T, n int, f func(t *testing.T, v variant)) {
	for _, v := range wrappedHTTP1 {
		v.opts = &httpwire.Options{BodyReadAhead: n}
		t.Run(v.name, func(t *testing.T) { f(t, v) })
	}
}

// noise is n bytes that tell if any two are swapped.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

const postHead = "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: "

// post sends the header of a POST with a body of n bytes.
func post(t testing.TB, c net.Conn, path string, n int, more ...string) {
	t.Helper()
	send(t, c, postHead+fmt.Sprint(n)+"\r\n"+strings.Join(more, "")+"\r\n", path)
}

// H1: wire.md's "FIN stuck behind the data": with read-ahead the body comes in
// though the handler does not read it, and the end behind it is seen.
func TestReadAhead_endBehindBody(t *testing.T) {
	body := noise(4 << 20)
	eachAhead(t, 8<<20, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		for _, e := range endings {
			if e.tls && !v.tls || e.name == "close_notify alone" { // above the queue, behind the body: TLS does not get there
				continue
			}
			for _, kind := range []string{"unread", "half sent", "chunked", "read after"} {
				t.Run(e.name+"/"+kind, func(t *testing.T) {
					path := "/" + strings.ReplaceAll(e.name+kind, " ", "-")
					got := make(chan []byte, 1)
					var visit *visit
					visit = vs.expect(path, func(w http.ResponseWriter, r *http.Request) {
						close(visit.ready)
						<-visit.release
						if kind == "read after" {
							b, _ := io.ReadAll(r.Body)
							got <- b
						}
					})
					c, below := s.dial(t)
					switch kind {
					case "half sent":
						post(t, c, path, 2*len(body))
					case "chunked":
						send(t, c, "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", path)
						send(t, c, fmt.Sprintf("%x", len(body))+"%s\r\n", "")
					default:
						post(t, c, path, len(body))
					}
					receive(t, visit.ready, "the handler")
					_, err := c.Write(body)
					must(t, err)
					e.end(t, c, below)
					visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: e.kind})
					if kind == "read after" && e.kind == httpwire.Closed {
						if b := receive(t, got, "the body"); !bytes.Equal(b, body) {
							t.Errorf("the handler read %d bytes, not those that were sent", len(b))
						}
					}
				})
			}
		}
	})
}

// By default nothing is read ahead: the FIN is seen once the body is read.
func TestReadAhead_offByDefault(t *testing.T) {
	body := noise(16 << 20) // more than both kernel buffers grow to
	for _, v := range wrappedHTTP1 {
		t.Run(v.name, func(t *testing.T) {
			var vs visits
			s := vs.serve(t, v)
			read := make(chan int64, 1)
			var visit *visit
			visit = vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
				if _, ok := httpwire.Ahead(r); ok {
					t.Error("there is a read-ahead")
				}
				close(visit.ready)
				<-visit.release
				if n := visit.count.Load(); n != 0 {
					t.Errorf("fired %d times before the body was read", n)
				}
				n, _ := io.Copy(io.Discard, r.Body)
				read <- n
				receive(t, visit.fired, "OnDisconnect's callback")
			})
			c, _ := s.dial(t)
			post(t, c, "/", len(body)+1)
			receive(t, visit.ready, "the handler")
			sent := make(chan error, 1)
			go func() {
				_, err := c.Write(body)
				sent <- errors.Join(err, c.Close())
			}()
			close(visit.release)
			must(t, receive(t, sent, "the body to be sent"))
			if n := receive(t, read, "the body to be read"); n != int64(len(body)) {
				t.Errorf("read %d bytes of %d", n, len(body))
			}
			visit.end(t, 1)
		})
	}
}

// smallBuffers is a listener whose connections have receive buffers of a known
// size.
type smallBuffers struct{ net.Listener }

const kernelBuffer = 128 << 10

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(kernelBuffer)
	}
	return c, err
}

// countingWriter counts what the connection below has accepted.
type countingWriter struct {
	w io.Writer
	n atomic.Int64
}

func (w *countingWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		var m int
		m, err = w.w.Write(p[:min(len(p), 4096)])
		p, n = p[m:], n+m
		w.n.Add(int64(m))
	}
	return n, err
}

// Past its bound read-ahead holds the client back; nothing is lost by that.
func TestReadAhead_backPressure(t *testing.T) {
	const limit = 64 << 10
	body := noise(16 << 20)
	want := sha256.Sum256(body)
	eachAhead(t, limit, func(t *testing.T, v variant) {
		var vs visits
		s := v.configure(t, &vs)
		s.Handler = vs.outer(s.Handler)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s.addr = l.Addr().String()
		s.serve(t, httpwire.Listener(smallBuffers{l}))

		states, proceed := make(chan func() httpwire.AheadState, 1), make(chan struct{})
		got := make(chan [32]byte, 1)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			states <- func() httpwire.AheadState { s, _ := httpwire.Ahead(r); return s }
			<-proceed
			h := sha256.New()
			_, err := io.Copy(h, r.Body)
			got <- [32]byte(h.Sum(nil))
			return err
		})
		c, below := s.dial(t)
		must(t, below.SetWriteBuffer(kernelBuffer))
		post(t, c, "/", len(body))
		state := receive(t, states, "the handler")
		cw := &countingWriter{w: c}
		sent := make(chan error, 1)
		go func() { _, err := cw.Write(body); sent <- err }()

		waitFor(t, "the queue to be full", func() bool { return state().Held == limit })
		settle(t, &cw.n)
		// The kernel doubles what it is asked for; net/http and TLS hold a little.
		if n := cw.n.Load(); n > limit+2*2*kernelBuffer+(64<<10) {
			t.Errorf("the client was let send %d bytes", n)
		}
		if st := state(); st.Held != limit || st.Memory > limit+2*16<<10 || st.Filling {
			t.Errorf("%+v, with a limit of %d", st, limit)
		}
		close(proceed)
		if receive(t, got, "the body") != want {
			t.Error("the body is not what was sent")
		}
		must(t, receive(t, sent, "the body to be sent"))
		receive(t, visit.ready, "the handler to have read")
		waitFor(t, "the queue to be empty", func() bool { st := state(); return st.Held == 0 && st.Memory <= 16<<10 })
		visit.untouched(t)
	})
}

// settle waits until n does not move any more: for an upper bound that holds at
// any time, this is only about how hard the test is.
func settle(t testing.TB, n *atomic.Int64) {
	t.Helper()
	same, last := 0, n.Load()
	waitFor(t, "the client to be held back", func() bool {
		if now := n.Load(); now != last {
			same, last = 0, now
		}
		same++
		return same > 100000
	})
}

// A goroutine lives as long as its request: an idle connection has none, nor any
// memory.
func TestReadAhead_idleIsFree(t *testing.T) {
	eachAhead(t, 1<<20, func(t *testing.T, v variant) {
		states := make(chan func() httpwire.AheadState, 1)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			state := func() httpwire.AheadState { s, _ := httpwire.Ahead(r); return s }
			if r.ContentLength > 4096 {
				waitFor(t, "something to be read ahead", func() bool { return state().Held > 0 })
			}
			read, _ := io.CopyN(io.Discard, r.Body, r.ContentLength*int64(r.URL.Path[1]-'0')/2)
			st, ok := httpwire.Ahead(r)
			if !ok || st.Running != (r.ContentLength > 4096) {
				t.Errorf("%+v with %d bytes of %d read", st, read, r.ContentLength)
			}
			if r.ContentLength > 4096 && read == r.ContentLength {
				waitFor(t, "the reader to wait", func() bool { return state().Filling })
			}
			states <- state
			_, _ = io.WriteString(w, "done")
		}))
		c, _ := s.dial(t)
		br := bufio.NewReader(c)
		for i := range 12 {
			n := []int{0, 1, 4096, 100_000}[i%4]
			post(t, c, fmt.Sprintf("/%d", i%3), n)
			_, err := c.Write(noise(n))
			must(t, err)
			resp, err := http.ReadResponse(br, nil)
			must(t, err)
			if b, err := io.ReadAll(resp.Body); string(b) != "done" || err != nil {
				t.Fatalf("answered %q, %v", b, err)
			}
			state := receive(t, states, "the handler")
			waitFor(t, "the goroutine to leave", func() bool { st := state(); return !st.Running && st.Held == 0 && st.Memory == 0 })
		}
	})
}

// Read-ahead is no reading of the body: nobody asks an expecting client for it.
func TestReadAhead_expectContinue(t *testing.T) {
	eachAhead(t, 1<<20, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			if st, _ := httpwire.Ahead(r); !st.Running {
				t.Error("nothing is read ahead")
			}
			w.WriteHeader(http.StatusTeapot)
			return http.NewResponseController(w).Flush()
		})
		c, _ := s.dial(t)
		post(t, c, "/", 1<<20, "Expect: 100-continue\r\n")
		receive(t, visit.ready, "the handler")
		line, err := bufio.NewReader(c).ReadString('\n')
		if !strings.Contains(line, " 418 ") || err != nil {
			t.Errorf("answered %q, %v: want no 100 Continue", line, err)
		}
		must(t, c.Close())
		visit.left(t)
	})
}
