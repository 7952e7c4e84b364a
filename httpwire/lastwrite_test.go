package httpwire_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// whole is the size of the responses here: copied in pieces of 32 KB, the last of
// which is larger than net/http's buffers.
const whole = 3<<15 + 20_000

// An answer is a way to write a response of whole bytes without a Flush.
type answer struct {
	name string
	do   func(w http.ResponseWriter, r *http.Request, file string) error
}

func declare(w http.ResponseWriter) { w.Header().Set("Content-Length", strconv.Itoa(whole)) }

// onlyReader hides WriterTo, and every other shortcut.
type onlyReader struct{ io.Reader }

// endless has its bytes and then blocks until the request's context is done.
type endless struct {
	io.Reader
	r *http.Request
}

func (e endless) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err == io.EOF {
		<-e.r.Context().Done()
	}
	return n, err
}

var completeAnswers = []answer{
	{"Write", func(w http.ResponseWriter, _ *http.Request, _ string) error {
		declare(w)
		_, err := w.Write(make([]byte, whole))
		return err
	}},
	{"Write twice", func(w http.ResponseWriter, _ *http.Request, _ string) error {
		declare(w)
		_, err := w.Write(make([]byte, whole/2))
		if err == nil {
			_, err = w.Write(make([]byte, whole/2))
		}
		return err
	}},
	{"io.Copy", func(w http.ResponseWriter, _ *http.Request, _ string) error {
		declare(w)
		_, err := io.Copy(w, onlyReader{bytes.NewReader(make([]byte, whole))})
		return err
	}},
	{"io.Copy of a source that goes on", func(w http.ResponseWriter, r *http.Request, _ string) error {
		declare(w)
		_, err := io.Copy(w, endless{bytes.NewReader(make([]byte, whole)), r})
		return err
	}},
	{"io.Copy of a file", func(w http.ResponseWriter, _ *http.Request, file string) error {
		declare(w)
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, err = io.Copy(w, f)
		return err
	}},
	{"ServeFile", func(w http.ResponseWriter, r *http.Request, file string) error {
		http.ServeFile(w, r, file)
		return nil
	}},
}

func wholeFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, make([]byte, whole), 0o600))
	return name
}

// Rule 3: on HTTP/1 a response that net/http has sent without a Flush is complete;
// the client that leaves with its last byte has what it came for.
func TestOnDisconnect_completeWithoutFlush(t *testing.T) {
	file := wholeFile(t)
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		for _, a := range completeAnswers {
			t.Run(a.name, func(t *testing.T) {
				var entered, fired atomic.Int64
				s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					entered.Add(1)
					_, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { fired.Add(1) })
					if err == nil {
						err = a.do(w, r, file)
					}
					if err != nil {
						t.Error(err)
					}
					<-r.Context().Done() // it works on, until the client has left
				}))
				n := max(*requests/60, 10)
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						for range n / 4 {
							s.takeAndLeave(t)
						}
					})
				}
				wg.Wait()
				s.drained(t)
				if fired.Load() != 0 {
					t.Errorf("%d of %d fired", fired.Load(), entered.Load())
				}
			})
		}
	})
}

// takeAndLeave reads a whole response and closes the connection.
func (s *server) takeAndLeave(t testing.TB) {
	c, _ := s.dial(t)
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Error(err)
		return
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Error(err)
		return
	}
	if n, err := io.ReadFull(res.Body, make([]byte, whole)); err != nil {
		t.Errorf("%d of %d bytes: %v", n, whole, err)
	}
}

// Rule 3, the other side: what has not all gone out is not complete.
func TestOnDisconnect_heldIsIncomplete(t *testing.T) {
	file := wholeFile(t)
	incomplete := []answer{
		{"tail in the buffers", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			declare(w)
			_, err := w.Write(make([]byte, whole-10))
			if err == nil {
				_, err = w.Write(make([]byte, 10))
			}
			return err
		}},
		{"tail in the second buffer", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("Content-Length", "5000")
			_, err := w.Write(make([]byte, 5000))
			return err
		}},
		{"WriteString, which net/http sends by 2048 bytes", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			declare(w)
			_, err := io.WriteString(w, strings.Repeat("x", whole))
			return err
		}},
		{"a byte missing", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			declare(w)
			_, err := w.Write(make([]byte, whole-1))
			return err
		}},
		{"source that blocks before its last byte", func(w http.ResponseWriter, r *http.Request, _ string) error {
			declare(w)
			_, _ = io.Copy(w, endless{bytes.NewReader(make([]byte, whole-1)), r})
			return nil
		}},
		{"file that is too short", func(w http.ResponseWriter, _ *http.Request, file string) error {
			w.Header().Set("Content-Length", strconv.Itoa(whole+1))
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			_, err = io.Copy(w, f)
			return err
		}},
		{"file that is too short from where it is", func(w http.ResponseWriter, _ *http.Request, file string) error {
			declare(w)
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			if _, err = f.Seek(1, io.SeekStart); err == nil {
				_, err = io.Copy(w, f)
			}
			return err
		}},
		{"small source", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("Content-Length", "5")
			_, err := io.Copy(w, onlyReader{strings.NewReader("hello")})
			return err
		}},
		{"no byte at all", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("Content-Length", "0")
			_, err := w.Write(nil)
			return err
		}},
		{"chunked in spite of it", func(w http.ResponseWriter, _ *http.Request, _ string) error {
			w.Header().Set("Transfer-Encoding", "chunked")
			declare(w)
			_, err := w.Write(make([]byte, whole))
			return err
		}},
	}
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		for _, a := range incomplete {
			t.Run(a.name, func(t *testing.T) {
				var vs visits
				s := vs.serve(t, v)
				visit := vs.expect("/", nil)
				began := make(chan struct{})
				visit.do = func(w http.ResponseWriter, r *http.Request) {
					close(began)
					if err := a.do(w, r, file); err != nil {
						t.Error(err)
					}
					close(visit.ready)
					<-visit.release
				}
				c, below := s.dial(t)
				send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
				read := make(chan struct{})
				go func() { defer close(read); _, _ = io.Copy(io.Discard, c) }()
				receive(t, began, "the handler")
				if !strings.Contains(a.name, "blocks") {
					receive(t, visit.ready, "the answer to be written")
				}
				must(t, below.CloseWrite())
				visit.left(t)
				_ = below.Close()
				receive(t, read, "the client's reader")
			})
		}
	})
}

// Rule 3: a file's copy puts evidence aside, but not for good.
func TestOnDisconnect_leavesInSendfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large")
	must(t, os.WriteFile(name, nil, 0o600))
	must(t, os.Truncate(name, 64<<20)) // more than socket buffers hold
	each(t, httpwire.HTTP1, func(t *testing.T, v variant) {
		if v.bare {
			t.Skip("net/http closes the connection inside the failing write: nothing is left to be seen")
		}
		var vs visits
		s := vs.serve(t, v)
		visit := vs.hold(t, "/", func(w http.ResponseWriter, r *http.Request) error {
			http.ServeFile(w, r, name)
			return nil
		})
		c, _ := s.dial(t)
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/")
		_, err := io.ReadFull(c, make([]byte, 1<<20))
		must(t, err)
		must(t, c.SetDeadline(time.Now())) // a TLS close must not wait for room
		_ = c.Close()
		visit.left(t)
	})
}
