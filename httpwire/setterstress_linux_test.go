//go:build cgo

package httpwire_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N3, N4, C1: connections, each with requests that are armed and taken back, against the thread's part
// in other goroutines, which have events of connections that end, and late ones. A word is set if and
// only if its entry said so, and no slot is touched once it was taken back.
func TestSetter_stressEntry(t *testing.T) {
	var data atomic.Uint64 // of the connection that ends
	done := make(chan struct{})
	var setters sync.WaitGroup
	for range 2 {
		setters.Go(func() {
			var before uint64
			for {
				select {
				case <-done:
					return
				default:
				}
				d := data.Load()
				httpwire.SetFlag(before, httpwire.EventRST)
				httpwire.SetFlag(d, httpwire.EventFIN)
				before = d
				runtime.Gosched()
			}
		})
	}
	var fired, wrong, late int
	n := max(*requests*10, 2000)
	if testing.Short() {
		n /= 10
	}
	for i := 0; i < n/4 || starved(i, n) && fired == 0; i++ {
		e := httpwire.TakeEntry()
		ends := rand.IntN(4)
		for request := range 4 {
			var tok cancel.Token
			f := tok.Flag()
			armed := e.Arm(f.Pointer())
			if request == ends {
				data.Store(e.Data())
			}
			for range rand.IntN(8) {
				runtime.Gosched()
			}
			set := armed && e.Withdraw()
			if set != f.IsSet() {
				wrong++
			}
			if set {
				fired++
			}
			if !armed && request <= ends-1 {
				late++
			}
			tok.Close()
		}
		e.Give()
	}
	close(done)
	setters.Wait()
	t.Logf("%d requests, %d set", n/4*4, fired)
	if wrong != 0 || late != 0 || fired == 0 {
		t.Errorf("%d words are not what their entry says, %d connections ended early, %d set", wrong, late, fired)
	}
}

// starved reports whether a stress test of n rounds goes on after i, as on a busy machine its other goroutines may not have run.
func starved(i, n int) bool { return i < 1000*n }

// A tally is the handler of the stress test: native calls that end by themselves, or wait
// for their client's leaving.
type tally struct {
	done, left, byThread atomic.Int64
	falseSet, wrong      atomic.Int64
	first                atomic.Pointer[string]
}

func (y *tally) fail(count *atomic.Int64, format string, args ...any) {
	count.Add(1)
	s := fmt.Sprintf(format, args...)
	y.first.CompareAndSwap(nil, &s)
}

func (y *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stays := r.URL.Path == "/stay"
	d := bound
	if stays {
		d = time.Duration(rand.Int64N(int64(50 * time.Microsecond)))
	}
	var told atomic.Int32
	if _, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { told.Add(1) }); err != nil {
		y.fail(&y.wrong, "%v", err)
	}
	var flag cancel.Flag
	_, err := native.Inline(r.Context(), func(c *native.Call) (int, error) {
		flag = c.Flag()
		return 0, nativetest.Spin(flag.Pointer(), d, nil)
	})
	var gone *httpwire.Disconnect
	switch errors.As(err, &gone); {
	case stays && (err != nil || flag.IsSet()):
		y.fail(&y.falseSet, "the client was there: %v, flag %v", err, flag.IsSet())
	case !stays && err == nil:
		y.fail(&y.wrong, "the client has left: the flag was not set within %v", bound)
	case err != nil && gone == nil:
		y.fail(&y.wrong, "the native call ended with %v", err)
	case err != nil && r.Context().Err() == nil:
		y.fail(&y.wrong, "the call was cancelled, its request is not")
	}
	if httpwire.Fired(r) || r.ProtoMajor == 2 && gone != nil && gone.Source == httpwire.SourceMonitor {
		y.byThread.Add(1)
	}
	if stays {
		y.done.Add(1)
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("ok"))
		return
	}
	y.left.Add(1)
}

// C1 to C3, N3, N4: requests on kept connections that complete, and others whose clients leave at
// any moment of a native call: no flag is set under a client that stays, also not by the
// leaving of the connection that had the entry or the flag before; every one under a client that
// leaves comes back with the Disconnect.
func TestSetter_stress(t *testing.T) {
	before := cancel.FlagsInUse()
	for _, v := range lenders {
		t.Run(v.name, func(t *testing.T) {
			y := new(tally)
			s := v.start(t, y)
			complete, leave := int64(share(*requests, len(lenders))), int64(share(*aborts, len(lenders)))
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for y.done.Load() < complete || y.left.Load() < leave || y.byThread.Load() == 0 && y.left.Load() < 100*leave {
						visit := visitor
						if v.proto == httpwire.HTTP2 {
							visit = visitor2
						}
						visit(t, s, 1+rand.IntN(40), y.left.Load() < leave || y.byThread.Load() == 0)
					}
				})
			}
			wg.Wait()
			t.Logf("%d completions, %d closes, %d flags set by the thread", y.done.Load(), y.left.Load(), y.byThread.Load())
			if y.falseSet.Load() != 0 || y.wrong.Load() != 0 {
				t.Errorf("%d set falsely, %d wrong; the first: %s", y.falseSet.Load(), y.wrong.Load(), *y.first.Load())
			}
			if y.byThread.Load() == 0 {
				t.Error("the thread has set none")
			}
		})
	}
	waitFor(t, "the flags to be given back", func() bool { return cancel.FlagsInUse() == before })
}

// visitor makes n requests on one connection, and may leave in the middle of another.
func visitor(t *testing.T, s *server, n int, leave bool) {
	c, below, err := s.connect()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = below.Close() }()
	in := bufio.NewReader(c)
	for range n {
		if err := stay(c, in); err != nil {
			t.Error(err)
			return
		}
	}
	if !leave {
		return
	}
	_, _ = c.Write([]byte("GET /leave HTTP/1.1\r\nHost: h\r\n\r\n"))
	time.Sleep(time.Duration(rand.Int64N(int64(500 * time.Microsecond)))) // any moment
	if rand.IntN(2) == 0 {
		_ = below.SetLinger(0)
	}
}

func stay(c net.Conn, in *bufio.Reader) error {
	if _, err := c.Write([]byte("GET /stay HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
		return err
	}
	if _, err := http.ReadResponse(in, nil); err != nil {
		return err
	}
	_, err := in.Discard(2) // the body
	return err
}
