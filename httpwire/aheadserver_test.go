package httpwire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// What a handler may do with a body, and what comes of it: the same with
// read-ahead and without.
var bodyUses = []struct {
	name string
	size int // of the declared body; the client sends half of it
	set  func(*http.Server)
	do   func(w http.ResponseWriter, r *http.Request) error
}{
	{name: "MaxBytesReader", size: 1 << 20, do: func(w http.ResponseWriter, r *http.Request) error {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1000))
		var tooLarge *http.MaxBytesError
		if len(b) != 1000 || !errors.As(err, &tooLarge) {
			return fmt.Errorf("read %d bytes, %w", len(b), err)
		}
		return nil
	}},
	{name: "ReadTimeout", size: 1 << 20, set: func(s *http.Server) { s.ReadTimeout = shortLimit },
		do: readUntilDeadline},
	{name: "read deadline", size: 1 << 20, do: func(w http.ResponseWriter, r *http.Request) error {
		b := make([]byte, 1<<19)
		if _, err := io.ReadFull(r.Body, b); err != nil || !bytes.Equal(b, noise(1 << 20)[:len(b)]) {
			return fmt.Errorf("other bytes than were sent, %w", err)
		}
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			return err
		}
		if n, err := r.Body.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("read %d bytes, %w", n, err)
		}
		return nil
	}},
	{name: "read deadline in the past", size: 1 << 20, do: func(w http.ResponseWriter, r *http.Request) error {
		if err := http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r.Body) // net/http's buffer may hold a little
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("err = %w", err)
		}
		return nil
	}},
	{name: "full duplex", size: 1 << 20, do: func(w http.ResponseWriter, r *http.Request) error {
		rc := http.NewResponseController(w)
		err := rc.EnableFullDuplex()
		b := make([]byte, 1000)
		for range 100 {
			_, e1 := io.ReadFull(r.Body, b)
			_, e2 := w.Write(b)
			err = errors.Join(err, e1, e2, rc.Flush())
		}
		return err
	}},
}

// readUntilDeadline expects what has come of the body, in order, and then the
// deadline.
func readUntilDeadline(_ http.ResponseWriter, r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if !errors.Is(err, os.ErrDeadlineExceeded) || !bytes.HasPrefix(noise(1<<20), b) {
		return fmt.Errorf("read %d bytes, %w", len(b), err)
	}
	return nil
}

// Limits and deadlines of the handler's and the server's work with read-ahead as
// without, and none of them is a disconnect.
func TestReadAhead_bodyUses(t *testing.T) {
	for _, n := range []int{0, 1000, 8 << 20} {
		eachAhead(t, n, func(t *testing.T, v variant) {
			t.Parallel()
			// All in one test: net/http takes half a second to close such a
			// connection, which is waited for at the end.
			for _, x := range bodyUses {
				var vs visits
				s := vs.serve(t, v, func(s *http.Server) {
					if x.set != nil {
						x.set(s)
					}
				})
				visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
					if err := x.do(w, r); err != nil {
						return fmt.Errorf("%s with a read-ahead of %d: %w", x.name, n, err)
					}
					return nil
				})
				c, _ := s.dial(t)
				go func() { _, _ = io.Copy(io.Discard, c) }()
				post(t, c, "/", x.size)
				_, err := c.Write(noise(x.size)[:x.size/2])
				must(t, err)
				receive(t, visit.ready, "the handler")
				visit.end(t, 0)
			}
		})
	}
}

// A deadline that has passed, such as ReadTimeout's, does not hide the end of a
// connection whose body nobody reads.
func TestReadAhead_endAfterReadTimeout(t *testing.T) {
	body := noise(4 << 20)
	eachAhead(t, 8<<20, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			return http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		})
		c, _ := s.dial(t)
		post(t, c, "/", len(body))
		receive(t, visit.ready, "the handler")
		_, err := c.Write(body)
		must(t, err)
		must(t, c.Close())
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	})
}

// Who hijacks a connection reads all bytes from the start of the body on, and
// nothing is read ahead of him any more.
func TestReadAhead_hijack(t *testing.T) {
	body := noise(1 << 20)
	eachAhead(t, 300_000, func(t *testing.T, v variant) {
		var vs visits
		s := vs.serve(t, v)
		got := make(chan []byte, 1)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			state := func() httpwire.AheadState { s, _ := httpwire.Ahead(r); return s }
			waitFor(t, "the queue to be full", func() bool { return state().Held == 300_000 })
			hc, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = hc.Close() })
			waitFor(t, "the reader to leave", func() bool { return !state().Running })
			b := make([]byte, len(body))
			_, err = io.ReadFull(rw, b)
			got <- b
			waitFor(t, "memory to be released", func() bool { return state().Memory == 0 })
			return err
		})
		c, _ := s.dial(t)
		post(t, c, "/", len(body))
		_, err := c.Write(body)
		must(t, err)
		if b := receive(t, got, "the body"); !bytes.Equal(b, body) {
			t.Error("the hijacker did not read what was sent")
		}
		receive(t, visit.ready, "the handler")
		must(t, c.Close())
		visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP1, Kind: httpwire.Closed})
	})
}

// A bare listener and HTTP/2 have no read-ahead.
func TestReadAhead_onlyWrappedHTTP1(t *testing.T) {
	for _, v := range variants[2:] {
		t.Run(v.name, func(t *testing.T) {
			v.opts = &httpwire.Options{BodyReadAhead: 1 << 20}
			got := make(chan bool, 1)
			s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got <- httpwire.ReadsAhead(r)
			}))
			s.request(t, "POST", "/")
			if receive(t, got, "the handler") {
				t.Error("reads ahead")
			}
		})
	}
}

// What read-ahead costs a request without a body, with a small one, and with one
// that is read.
func BenchmarkReadAhead(b *testing.B) {
	for _, size := range []int{0, 1000, 100_000, 4 << 20} {
		for _, n := range []int{0, 256 << 10} {
			b.Run(fmt.Sprintf("body=%d/ahead=%d", size, n), func(b *testing.B) {
				v := variants[0]
				v.opts = &httpwire.Options{BodyReadAhead: n}
				s := v.start(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
				}))
				c, _ := s.dial(b)
				must(b, c.SetDeadline(time.Time{}))
				msg := []byte(fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", size, make([]byte, size)))
				br := bufio.NewReader(c)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					_, err := c.Write(msg)
					must(b, err)
					for line := []byte("more"); len(line) > 2; {
						line, err = br.ReadSlice('\n')
						must(b, err)
					}
				}
			})
		}
	}
}

// H4: a read during the connection's Close gets none of what the connection still has: it is behind what was
// read ahead, and gone with that.
func TestReadAhead_readsWhileClosing(t *testing.T) {
	const limit = 100 << 10
	body := noise(1 << 20)
	eachAhead(t, limit, func(t *testing.T, v variant) {
		conns, entered, closing, got := make(chan net.Conn, 1), make(chan struct{}), make(chan struct{}), make(chan []byte, 1)
		s := v.configure(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			receive(t, closing, "Close")
			b, err := io.ReadAll(r.Body)
			if !errors.Is(err, net.ErrClosed) && !v.tls { // TLS keeps its own
				t.Errorf("ReadAll: %v, want net.ErrClosed", err)
			}
			got <- b
		}), func(s *http.Server) {
			s.ConnContext = func(ctx context.Context, c net.Conn) context.Context { conns <- c; return ctx }
		})
		low := &slowCloser{full: make(chan struct{}), limit: limit, closing: closing, closeNow: make(chan struct{})}
		closeNow := sync.OnceFunc(func() { close(low.closeNow) })
		l := listen(t)
		s.addr = l.Addr().String()
		s.serve(t, httpwire.Listener(slowClosers{l, low}))
		t.Cleanup(closeNow)
		c, _ := s.dial(t)
		post(t, c, "/", len(body))
		receive(t, entered, "the handler")
		go func() { _, _ = c.Write(body) }()
		receive(t, low.full, "the queue to be full")
		served := receive(t, conns, "the connection")
		if n, ok := served.(interface{ NetConn() net.Conn }); ok && v.tls {
			served = n.NetConn()
		}
		closed := make(chan error, 1)
		go func() { closed <- served.Close() }()
		b := receive(t, got, "what the handler read")
		closeNow()
		must(t, receive(t, closed, "Close"))
		if len(b) > limit || !bytes.HasPrefix(body, b) {
			t.Errorf("read %d bytes, which are not the first", len(b))
		}
	})
}

// A slowCloser is a connection that says when so much was read, and when it is about to be closed.
type slowCloser struct {
	net.Conn
	n, limit      int
	once, closes  sync.Once
	full, closing chan struct{}
	closeNow      chan struct{}
}

func (c *slowCloser) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.n += n; c.n >= c.limit {
		c.once.Do(func() { close(c.full) })
	}
	return n, err
}

func (c *slowCloser) Close() error {
	c.closes.Do(func() { close(c.closing) })
	<-c.closeNow
	return c.Conn.Close()
}

type slowClosers struct {
	net.Listener
	only *slowCloser
}

func (l slowClosers) Accept() (c net.Conn, err error) {
	if c, err = l.Listener.Accept(); err != nil {
		return nil, err
	}
	l.only.Conn = c
	return l.only, nil
}
