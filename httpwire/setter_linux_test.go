//go:build cgo

package httpwire_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// lenders are the variants whose flags are lent to the thread.
var lenders = []variant{variants[0], variants[1], variants[2], variants[4], variants[5], variants[6], variants[7],
	{name: "h2-h2c-bare", proto: httpwire.HTTP2, bare: true}}

// both are one of each protocol, above TLS or not.
func both(tls bool) []variant {
	if tls {
		return []variant{variants[1], variants[4]}
	}
	return []variant{variants[0], variants[5]}
}

// heldReads is a listener whose connections' reads, once they have something, wait for the lock: so HTTP/2's
// reader is stopped.
type heldReads struct {
	net.Listener
	sync.RWMutex
}

func (l *heldReads) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return heldConn{c.(*net.TCPConn), l}, nil
}

type heldConn struct {
	*net.TCPConn
	l *heldReads
}

func (c heldConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.l.RLock()
	defer c.l.RUnlock()
	return n, err
}

// hold stops all in Go that notices the end of a connection.
func (l *heldReads) hold() (release func()) {
	l.Lock()
	monitor := httpwire.HoldMonitor()
	return func() { monitor(); l.Unlock() }
}

// serveHeld is serve on a listener whose reads can be held.
func (vs *visits) serveHeld(t *testing.T, v variant, set ...func(*http.Server)) (*server, *heldReads) {
	s := v.configure(t, vs, set...)
	s.Handler = vs.outer(s.Handler)
	l := &heldReads{Listener: listen(t)}
	s.addr = l.Addr().String()
	if v.bare {
		s.serve(t, l)
	} else {
		s.serve(t, httpwire.Listener(l))
	}
	return s, l
}

// ask sends a request, with a body that does not come if it is not 0 bytes.
func ask(t *testing.T, s *server, path string, body int) (below *net.TCPConn) {
	if s.proto == httpwire.HTTP2 {
		c := s.h2(t)
		c.ping() // the server has nothing more to say
		c.headers("POST", path, body == 0)
		c.flush()
		return c.below
	}
	c, below := s.dial(t)
	post(t, c, path, body)
	return below
}

// lending runs handler with a request whose flag is lent. With a body, which does not
// come, net/http does not notice its client's leaving.
func lending(t *testing.T, v variant, body int, handler func(w http.ResponseWriter, r *http.Request)) (*visit, *heldReads, func(close bool)) {
	t.Helper()
	var vs visits
	base, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	base = context.WithValue(base, baseStop{}, stop)
	s, held := vs.serveHeld(t, v, func(s *http.Server) { s.BaseContext = func(net.Listener) context.Context { return base } })
	visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
		cancel.FromContext(r.Context()).Flag()
		if !httpwire.Lent(r) {
			t.Error("the flag was not lent")
		}
		handler(w, r)
	})
	below := ask(t, s, "/", body)
	return visit, held, func(fin bool) {
		if !fin {
			must(t, below.SetLinger(0))
		}
		must(t, below.Close())
	}
}

// baseStop is the key of what ends the base context of lending's server.
type baseStop struct{}

// A wait is a way to learn in C that the flag is set.
var waits = []struct {
	name string
	wait func(c *native.Call, in *nativetest.Inside) error
}{
	{"poll", func(c *native.Call, in *nativetest.Inside) error {
		return nativetest.Spin(c.Flag().Pointer(), bound, in)
	}},
	{"futex", func(c *native.Call, in *nativetest.Inside) error {
		return nativetest.Sleep(c.Flag().Pointer(), bound, in)
	}},
	{"eventfd", func(c *native.Call, in *nativetest.Inside) error {
		fd, err := c.EventFD()
		if err != nil {
			return err
		}
		return nativetest.PollFD(fd, bound, in)
	}},
}

// C1, C6, N2: with all stopped that notices it in Go, the flag of a request whose client has closed or reset
// its connection is set, and wakes; and the native call that comes back
// says why.
func TestSetter_withoutGo(t *testing.T) {
	for _, v := range lenders {
		for _, w := range waits {
			for _, fin := range []bool{true, false} {
				t.Run(v.name+"/"+w.name+"/"+map[bool]string{true: "FIN", false: "RST"}[fin], func(t *testing.T) {
					in, errs, go_ := new(nativetest.Inside), make(chan error, 1), make(chan struct{})
					fired := make(chan bool, 1)
					visit, held, leave := lending(t, v, 1, func(_ http.ResponseWriter, r *http.Request) {
						close(go_)
						_, err := native.Inline(r.Context(), func(c *native.Call) (int, error) { return 0, w.wait(c, in) })
						fired <- httpwire.Fired(r)
						errs <- err
					})
					receive(t, go_, "the handler")
					in.Wait()
					release := held.hold()
					leave(fin)
					err := receive(t, errs, "the native call to return")
					release()
					kind := httpwire.Closed
					if !fin {
						kind = httpwire.Reset
					}
					var d *httpwire.Disconnect
					if !errors.As(err, &d) || d.Kind != kind || d.Source != httpwire.SourceMonitor || !errors.Is(err, nativetest.ErrStopped) {
						t.Errorf("err = %v, want a Disconnect: %v", err, kind)
					}
					if !<-fired {
						t.Error("it was not the thread that set the flag")
					}
					receive(t, visit.ended, "the handler to return")
					if n := visit.count.Load(); n != 1 {
						t.Errorf("callback started %d times, want once", n)
					}
				})
			}
		}
	}
}

// C1: whatever is asked first about a request whose flag the thread has set, it
// answers that the client has left.
func TestSetter_askedFirst(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context) bool{
		"Cancelled": func(ctx context.Context) bool { return cancel.FromContext(ctx).Cancelled() },
		"Token.Cause": func(ctx context.Context) bool {
			return errors.Is(cancel.FromContext(ctx).Cause(), httpwire.ErrDisconnected)
		},
		"Err":           func(ctx context.Context) bool { return ctx.Err() == context.Canceled },
		"context.Cause": func(ctx context.Context) bool { return errors.Is(context.Cause(ctx), httpwire.ErrDisconnected) },
		"Done": func(ctx context.Context) bool {
			select {
			case <-ctx.Done():
				return true
			default:
				return false
			}
		},
		"native": func(ctx context.Context) bool {
			_, err := native.Inline(ctx, func(*native.Call) (int, error) { panic("entered") })
			return errors.Is(err, httpwire.ErrDisconnected)
		},
		"derived": func(ctx context.Context) bool {
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			return errors.Is(context.Cause(ctx), httpwire.ErrDisconnected)
		},
	} {
		for _, v := range both(false) {
			t.Run(v.name+"/"+name, func(t *testing.T) { askedFirst(t, v, ask) })
		}
	}
}

func askedFirst(t *testing.T, v variant, ask func(ctx context.Context) bool) {
	visit, _, _ := lending(t, v, 0, func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		ctx.Done() // made before
		httpwire.SetFlag(httpwire.SetterData(r), httpwire.EventFIN)
		if !cancel.FromContext(ctx).Flag().IsSet() {
			t.Error("the flag is not set")
		}
		if !ask(ctx) {
			t.Error("asked first, it does not know of the disconnect")
		}
	})
	receive(t, visit.ended, "the handler to return")
	if n := visit.count.Load(); n != 1 {
		t.Errorf("callback started %d times, want once", n)
	}
}

// A turn is what ends the time in which a FIN has one meaning only.
var turns = []struct {
	name string
	do   func(t *testing.T, w http.ResponseWriter, r *http.Request)
	ends bool // the context
	on   []variant
}{
	{"return", func(*testing.T, http.ResponseWriter, *http.Request) {}, true, both(false)},
	{"last write", func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		size := whole
		if r.ProtoMajor == 2 {
			size = 10_000 // more than is buffered, and less than the client's window
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(make([]byte, size))
		must(t, err)
	}, false, both(false)},
	{"last flush", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		must(t, http.NewResponseController(w).Flush())
	}, false, both(false)},
	{"hijack", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}, false, variants[:1]},
	{"hijack of a bare one", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}, false, variants[2:3]},
	{"hijack below", func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(interface{ Unwrap() http.ResponseWriter }).Unwrap().(http.Hijacker).Hijack()
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}, false, variants[:1]},
	{"CloseWrite", func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
		must(t, httpwire.TopConn(r).(interface{ CloseWrite() error }).CloseWrite())
	}, false, both(false)},
	{"base context", func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
		r.Context().Value(baseStop{}).(context.CancelFunc)()
		receive(t, r.Context().Done(), "the context to be done")
	}, true, both(false)},
	{"Server.Close", func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
		must(t, r.Context().Value(http.ServerContextKey).(*http.Server).Close())
	}, true, both(false)},
	{"Server.Close above TLS", func(t *testing.T, _ http.ResponseWriter, r *http.Request) {
		must(t, r.Context().Value(http.ServerContextKey).(*http.Server).Close())
	}, true, both(true)},
}

// eachTurn runs f for each turn on each protocol that has it.
func eachTurn(t *testing.T, f func(t *testing.T, turn int, v variant)) {
	for i, turn := range turns {
		for _, v := range turn.on {
			t.Run(v.name+"/"+turn.name, func(t *testing.T) { f(t, i, v) })
		}
	}
}

// C3, rules 1 and 3, H3: once the response is complete, the handler has returned or this end has
// closed, the thread sets no flag, and nothing is a disconnect.
func TestSetter_takenBack(t *testing.T) {
	eachTurn(t, func(t *testing.T, i int, v variant) {
		turn := turns[i]
		var req *http.Request
		var data uint64
		checked := make(chan struct{})
		check := func() {
			defer close(checked)
			httpwire.SetFlag(data, httpwire.EventFIN)
			if httpwire.Lent(req) {
				t.Error("the flag is still lent")
			}
		}
		visit, _, _ := lending(t, v, 0, func(w http.ResponseWriter, r *http.Request) {
			req, data = r, httpwire.SetterData(r)
			flag := cancel.FromContext(r.Context()).Flag()
			turn.do(t, w, r)
			if turn.name == "return" {
				return
			}
			check()
			if flag.IsSet() && !turn.ends {
				t.Error("the flag is set")
			}
		})
		receive(t, visit.ended, "the handler to return")
		if turn.name == "return" {
			check()
		}
		receive(t, checked, "the check")
		if cause := context.Cause(visit.ctx); errors.Is(cause, httpwire.ErrDisconnected) || visit.count.Load() != 0 {
			t.Errorf("cause = %v, callbacks %d", cause, visit.count.Load())
		}
	})
}

// C1, rule 1: where the thread came first, that is the decision, whatever follows.
func TestSetter_setFirst(t *testing.T) {
	eachTurn(t, func(t *testing.T, i int, v variant) {
		turn := turns[i]
		visit, _, _ := lending(t, v, 0, func(w http.ResponseWriter, r *http.Request) {
			httpwire.SetFlag(httpwire.SetterData(r), httpwire.EventFIN)
			turn.do(t, w, r)
		})
		receive(t, visit.ended, "the handler to return")
		if cause := context.Cause(visit.ctx); !errors.Is(cause, httpwire.ErrDisconnected) || visit.count.Load() != 1 {
			t.Errorf("the flag was set; cause = %v, callbacks %d", cause, visit.count.Load())
		}
	})
}

// Rule 3: a write that might have been the last one, and was not, gives the flag back to
// the thread.
func TestSetter_lentAgain(t *testing.T) {
	visit, _, _ := lending(t, variants[0], 0, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(make([]byte, 10)) // net/http holds it
		must(t, err)
		if !httpwire.Lent(r) {
			t.Error("the flag is not lent any more")
		}
		httpwire.SetFlag(httpwire.SetterData(r), httpwire.EventFIN)
		if !cancel.FromContext(r.Context()).Flag().IsSet() {
			t.Error("the flag is not set")
		}
	})
	receive(t, visit.ended, "the handler to return")
	if n := visit.count.Load(); n != 1 {
		t.Errorf("callback started %d times, want once", n)
	}
}

// Rule 3: a flag that is asked for while the last write is under way is not lent.
func TestSetter_askedInLastWrite(t *testing.T) {
	var vs visits
	var req *http.Request
	s := variants[0].configure(t, &vs)
	inner := s.Handler
	s.Handler = vs.outer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(slowFlush{w, func() error {
			flag := cancel.FromContext(req.Context()).Flag()
			httpwire.SetFlag(httpwire.SetterData(req), httpwire.EventFIN)
			if httpwire.Lent(req) || flag.IsSet() {
				t.Errorf("lent %v, set %v: the response is about to be complete", httpwire.Lent(req), flag.IsSet())
			}
			return nil
		}}, r)
	}))
	s.listen(t)
	visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
		req = r
		w.Header().Set("Content-Length", "5")
		_, _ = w.Write([]byte("hello"))
		w.(http.Flusher).Flush()
	})
	c, _ := s.dial(t)
	post(t, c, "/", 0) // a Flush reads the body
	receive(t, visit.ended, "the handler to return")
	if n := visit.count.Load(); n != 0 {
		t.Errorf("callback started %d times", n)
	}
}

// H3: where a FIN may mean something else, or its meaning can't be known, the
// thread gets no flag.
func TestSetter_notLent(t *testing.T) {
	for name, v := range map[string]variant{
		"ignore":   {proto: httpwire.HTTP1, opts: &httpwire.Options{HalfClose: httpwire.HalfCloseIgnore}},
		"probe":    {proto: httpwire.HTTP1, opts: &httpwire.Options{HalfClose: httpwire.HalfCloseProbe}},
		"bare TLS": variants[3],
	} {
		t.Run(name, func(t *testing.T) {
			var vs visits
			s := vs.serve(t, v)
			visit := vs.expect("/", func(_ http.ResponseWriter, r *http.Request) {
				cancel.FromContext(r.Context()).Flag()
				if httpwire.SetterData(r) != 0 || httpwire.Lent(r) {
					t.Error("the flag is lent")
				}
			})
			c, _ := s.dial(t)
			post(t, c, "/", 1)
			receive(t, visit.ended, "the handler to return")
		})
	}
}

// N4: an event that comes late, when its request is over, does nothing to the next
// request of the connection, nor to whoever has its flag's memory next.
func TestSetter_lateForRequest(t *testing.T) {
	var vs visits
	s := vs.serve(t, variants[0])
	c, _ := s.dial(t)
	ask := func(path string, do func(r *http.Request, flag cancel.Flag)) *visit {
		v := vs.expect(path, func(w http.ResponseWriter, r *http.Request) {
			do(r, cancel.FromContext(r.Context()).Flag())
		})
		send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		_, err := readResponse(c)
		must(t, err)
		receive(t, v.ended, "the handler to return")
		return v
	}
	var data uint64
	ask("/first", func(r *http.Request, _ cancel.Flag) { data = httpwire.SetterData(r) })
	var others [8]cancel.Token // one of them has the flag's memory
	for i := range others {
		others[i].Flag()
		defer others[i].Close()
	}
	httpwire.SetFlag(data, httpwire.EventFIN)
	for i := range others {
		if others[i].Flag().IsSet() {
			t.Error("the flag of another token is set")
		}
	}
	v := ask("/second", func(r *http.Request, flag cancel.Flag) {
		if httpwire.SetterData(r) != data || flag.IsSet() || r.Context().Err() != nil {
			t.Errorf("flag %v, Err %v", flag.IsSet(), r.Context().Err())
		}
	})
	if n := v.count.Load(); n != 0 {
		t.Errorf("callback started %d times", n)
	}
}

// N4: a handler that http.TimeoutHandler left behind has no part in the end of the connection, whose
// next request has its own flag lent.
func TestSetter_timedOut(t *testing.T) {
	v := variants[0]
	var vs visits
	s := v.configure(t, &vs)
	h := vs.outer(s.Handler)
	s.Handler = lateOr(http.TimeoutHandler(h, 20*time.Millisecond, "late"), h)
	s.listen(t)
	timedOut, next := make(chan struct{}), make(chan struct{})
	late := vs.expect("/late", func(_ http.ResponseWriter, r *http.Request) {
		cancel.FromContext(r.Context()).Flag()
		receive(t, r.Context().Done(), "the time to be out")
		close(timedOut)
		receive(t, next, "the next request to be over")
		if d := context.Cause(r.Context()); errors.Is(d, httpwire.ErrDisconnected) {
			t.Errorf("cause = %v", d)
		}
	})
	visit := vs.expect("/next", func(_ http.ResponseWriter, r *http.Request) {
		flag := cancel.FromContext(r.Context()).Flag()
		if !httpwire.Lent(r) {
			t.Error("the flag was not lent")
		}
		httpwire.SetFlag(httpwire.SetterData(r), httpwire.EventFIN)
		if !flag.IsSet() {
			t.Error("the flag is not set")
		}
	})
	c, _ := s.dial(t)
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/late")
	body, err := readResponse(c)
	if must(t, err); body != "late" {
		t.Fatalf("answer %q", body)
	}
	receive(t, timedOut, "the first request to be timed out")
	send(t, c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", "/next")
	receive(t, visit.ended, "the handler to return")
	close(next)
	receive(t, late.ended, "the late handler to return")
	if late.count.Load() != 0 || visit.count.Load() != 1 {
		t.Errorf("callbacks: %d of the late one, %d of the next", late.count.Load(), visit.count.Load())
	}
}

// C6: a flag that is asked for when the thread has seen the end of its connection, and the monitor's
// goroutine has not come to it yet, is set at once.
func TestSetter_seenBefore(t *testing.T) {
	var vs visits
	s := vs.serve(t, variants[0])
	ready, asked := make(chan struct{}), make(chan struct{})
	v := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
		must(t, http.NewResponseController(w).EnableFullDuplex())
		tok := cancel.FromContext(r.Context())
		release := httpwire.HoldMonitor()
		defer release()
		close(ready)
		waitFor(t, "the FIN", func() bool { return httpwire.PeerLeft(r) })
		if !tok.Flag().IsSet() {
			waitFor(t, "the thread, which has registered with an end to see", func() bool { return tok.Flag().IsSet() })
		}
		close(asked)
	})
	_, below := s.dial(t)
	post(t, below, "/", 1)
	receive(t, ready, "the handler")
	must(t, below.Close())
	receive(t, asked, "the flag to be set")
	receive(t, v.ended, "the handler to return")
}

// N4: an event that comes late, when its connection is over, does nothing to the next
// connection that has its entry.
func TestSetter_lateForConnection(t *testing.T) {
	var vs visits
	s := vs.serve(t, variants[0])
	seen := make(map[uint32]uint64) // by index
	for i := range 20 {
		path := "/" + strconv.Itoa(i)
		var again bool
		v := vs.expect(path, func(w http.ResponseWriter, r *http.Request) {
			flag := cancel.FromContext(r.Context()).Flag()
			data := httpwire.SetterData(r)
			last, ok := seen[uint32(data)]
			seen[uint32(data)] = data
			if again = ok; !again {
				return
			}
			httpwire.SetFlag(last, httpwire.EventRST)
			if flag.IsSet() || !httpwire.Lent(r) || last == data {
				t.Error("an event of the last connection has set the flag")
			}
		})
		c, _ := s.dial(t)
		post(t, c, path, 1)
		receive(t, v.ended, "the handler to return")
		must(t, c.Close())
		waitFor(t, "the connection to be closed", func() bool { return s.open.Load() == 0 })
		if again {
			return
		}
	}
	t.Error("no entry was used again")
}

// The thread has its name, and blocks every signal that can be blocked: none of the program's or of
// native.Call.Interruptible's is handled there. Its descriptor is closed on exec.
func TestSetter_thread(t *testing.T) {
	flags, err := unix.FcntlInt(uintptr(httpwire.SetterFD()), unix.F_GETFD, 0)
	if must(t, err); flags&unix.FD_CLOEXEC == 0 {
		t.Error("its epoll descriptor is not closed on exec")
	}
	var status string
	waitFor(t, "the thread to have its name", func() bool {
		names, _ := filepath.Glob("/proc/self/task/*/comm")
		for _, name := range names {
			if b, _ := os.ReadFile(name); string(b) == "hangup-monitor\n" {
				b, err = os.ReadFile(filepath.Join(filepath.Dir(name), "status"))
				must(t, err)
				status = string(b)
				return true
			}
		}
		return false
	})
	_, mask, _ := strings.Cut(status, "SigBlk:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	blocked, err := strconv.ParseUint(mask, 16, 64)
	must(t, err)
	// SIGKILL and SIGSTOP can't be; 32 and 33 are the C library's.
	if unblocked := ^blocked &^ (1<<8 | 1<<18 | 1<<31 | 1<<32); unblocked != 0 {
		t.Errorf("signals not blocked: %x", unblocked)
	}
}

// SetMonitorPriority raises the thread alone, and says what it could not.
func TestSetMonitorPriority(t *testing.T) {
	if err := httpwire.SetMonitorPriority(100); !errors.Is(err, unix.EINVAL) && !errors.Is(err, os.ErrPermission) {
		t.Errorf("priority 100: %v", err)
	}
	err := httpwire.SetMonitorPriority(1)
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	must(t, err)
	defer func() { must(t, httpwire.SetMonitorPriority(0)) }()
	if policies := setterPolicy(t); policies != unix.SCHED_FIFO {
		t.Errorf("the thread's policy is %d", policies)
	}
}

// setterPolicy returns the scheduling policy of the thread: field 41 of proc_pid_stat(5).
func setterPolicy(t *testing.T) int {
	names, _ := filepath.Glob("/proc/self/task/*/stat")
	for _, name := range names {
		b, _ := os.ReadFile(name)
		if _, after, ok := strings.Cut(string(b), "(hangup-monitor) "); ok {
			n, err := strconv.Atoi(strings.Fields(after)[41-3])
			must(t, err)
			return n
		}
	}
	t.Fatal("no such thread")
	return 0
}

// H3: a client that reacts to an alert of ours finds the flag taken back: to our close_notify,
// which goes out before the connection is closed, and to the one by which we answer what is no TLS.
func TestSetter_alerts(t *testing.T) {
	for name, x := range map[string]struct {
		do    func(t *testing.T, s *server, client net.Conn)
		cause error
	}{
		"close_notify": {func(t *testing.T, s *server, _ net.Conn) { must(t, s.Close()) }, httpwire.ErrServerClosed},
		"no TLS": {func(t *testing.T, _ *server, client net.Conn) {
			_, err := client.Write([]byte("GET / HTTP/1.1"))
			must(t, err)
		}, context.Canceled},
	} {
		for _, v := range both(true) {
			t.Run(v.name+"/"+name, func(t *testing.T) { alerts(t, v, x.do, x.cause) })
		}
	}
}

func alerts(t *testing.T, v variant, do func(t *testing.T, s *server, client net.Conn), want error) {
	var vs visits
	s := v.configure(t, &vs)
	s.Handler = vs.outer(s.Handler)
	l := listen(t)
	s.addr = l.Addr().String()
	x := new(reaction)
	s.serve(t, httpwire.Listener(reacting{l, x}))
	lent := make(chan struct{})
	visit := vs.expect("/", func(_ http.ResponseWriter, r *http.Request) {
		cancel.FromContext(r.Context()).Flag()
		if !httpwire.Lent(r) {
			t.Error("the flag was not lent")
		}
		x.to.Store(httpwire.SetterData(r))
		close(lent)
		receive(t, r.Context().Done(), "the context to be done")
		x.to.Store(0)
	})
	below := ask(t, s, "/", 0)
	receive(t, lent, "the handler")
	do(t, s, below)
	receive(t, visit.ended, "the handler to return")
	if cause := context.Cause(visit.ctx); !errors.Is(cause, want) && v.proto == httpwire.HTTP1 || errors.Is(cause, httpwire.ErrDisconnected) || visit.count.Load() != 0 {
		t.Errorf("cause = %v, want %v; callbacks %d", cause, want, visit.count.Load())
	}
	// HTTP/2's server may be about to answer SETTINGS: a tls.Conn that is closed during a Write sends no close_notify.
	if unsent := v.proto == httpwire.HTTP2 && want == httpwire.ErrServerClosed; !x.done.Load() && !unsent {
		t.Error("there was no alert")
	}
}

// reacting has a FIN for the connection that is named, if any is, behind each write that begins then, before
// the connection is closed: as early as a client can react.
type reacting struct {
	net.Listener
	x *reaction
}

func (l reacting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return reactingConn{c.(*net.TCPConn), l.x}, nil
}

// A reaction is to the connection that events of to are of, 0: of none.
type reaction struct {
	to   atomic.Uint64
	done atomic.Bool
}

type reactingConn struct {
	*net.TCPConn
	x *reaction
}

func (c reactingConn) Write(b []byte) (int, error) {
	if d := c.x.to.Load(); d != 0 {
		defer c.x.done.Store(true)
		defer httpwire.SetFlag(d, httpwire.EventFIN)
	}
	return c.TCPConn.Write(b)
}
