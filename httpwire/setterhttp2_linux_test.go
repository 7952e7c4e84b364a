//go:build cgo

package httpwire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// C1, C6, N2: with the connection's reader stopped, the flags of all calls on an HTTP/2 connection are set when its
// client closes or resets it, and each call comes back with the reason.
func TestSetter_allOfConnection(t *testing.T) {
	const streams = 40
	for _, v := range lenders[3:] {
		t.Run(v.name, func(t *testing.T) {
			var vs visits
			s, held := vs.serveHeld(t, v)
			in, errs, told := make(chan int, streams), make(chan error, streams), make(chan struct{})
			var all []*visit
			for i := range streams {
				all = append(all, vs.expect("/"+strconv.Itoa(i), func(_ http.ResponseWriter, r *http.Request) {
					_, err := native.Inline(r.Context(), func(c *native.Call) (int, error) {
						p := c.Flag().Pointer()
						in <- httpwire.ChainLen(r)
						return 0, nativetest.Sleep(p, bound, nil)
					})
					errs <- err
					receive(t, told, "all calls to end") // an answer would fail, and be evidence too
				}))
			}
			c := s.h2(t)
			for i := range streams {
				c.headers("GET", "/"+strconv.Itoa(i), true)
			}
			c.flush()
			chain := 0
			for range streams {
				chain = max(chain, receive(t, in, "the calls to begin"))
			}
			if chain != streams {
				t.Errorf("the connection has %d entries, want %d", chain, streams)
			}
			c.ping() // the server has nothing left to send, whose write would learn of the reset too
			release := held.hold()
			must(t, c.below.SetLinger(0))
			must(t, c.below.Close())
			var got []error
			for range streams {
				got = append(got, receive(t, errs, "the calls to end"))
			}
			release()
			close(told)
			for _, err := range got {
				var d *httpwire.Disconnect
				if !errors.As(err, &d) || d.Proto != httpwire.HTTP2 || d.Kind != httpwire.Reset || d.Source != httpwire.SourceMonitor {
					t.Errorf("err = %v, want a Disconnect: reset", err)
				}
			}
			for _, v := range all {
				receive(t, v.ended, "the handler to return")
				if n := v.count.Load(); n != 1 {
					t.Errorf("callback started %d times, want once", n)
				}
			}
		})
	}
}

// N4: the entry and the flag's memory of a stream that is over belong to others; the end of its
// connection sets the flags of the streams that last, and of nobody else.
func TestSetter_oneOfMany(t *testing.T) {
	var vs visits
	s, _ := vs.serveHeld(t, variants[5])
	type stream struct {
		visit *visit
		flag  chan cancel.Flag
		req   *http.Request
		end   chan struct{}
	}
	begin := func(path string) *stream {
		x := &stream{flag: make(chan cancel.Flag, 1), end: make(chan struct{})}
		x.visit = vs.expect(path, func(_ http.ResponseWriter, r *http.Request) {
			x.req = r
			x.flag <- cancel.FromContext(r.Context()).Flag()
			receive(t, x.end, "the test")
		})
		return x
	}
	lasting, passing, next := begin("/lasting"), begin("/passing"), begin("/next")
	c := s.h2(t)
	c.get("/lasting")
	first := receive(t, lasting.flag, "the first stream's flag")
	c.get("/passing")
	receive(t, passing.flag, "the second stream's flag")
	close(passing.end)
	receive(t, passing.visit.ended, "the second handler to return")
	var others [8]cancel.Token // one of them has its flag's memory
	for i := range others {
		others[i].Flag()
		defer others[i].Close()
	}
	c.get("/next")
	third := receive(t, next.flag, "the third stream's flag")
	if n := httpwire.ChainLen(lasting.req); n != 2 {
		t.Errorf("%d entries for two streams at a time", n)
	}
	httpwire.SetFlag(httpwire.SetterData(lasting.req), httpwire.EventFIN)
	for i := range others {
		if others[i].Flag().IsSet() {
			t.Error("the flag of another token is set")
		}
	}
	if !first.IsSet() || !third.IsSet() {
		t.Errorf("flags of the streams that last: %v and %v", first.IsSet(), third.IsSet())
	}
	close(lasting.end)
	close(next.end)
	for _, x := range []*stream{lasting, next} {
		receive(t, x.visit.ended, "the handler to return")
		if n := x.visit.count.Load(); n != 1 {
			t.Errorf("callback started %d times, want once", n)
		}
	}
	if n := passing.visit.count.Load(); n != 0 {
		t.Errorf("callback of the stream that was over started %d times", n)
	}
}

// H3: when this end has reset a stream, or given up the connection with a GOAWAY, its client may leave: the
// flag has been taken back by then, also if another goroutine has only begun to: the context that the
// reset ends does.
func TestSetter_ourReset(t *testing.T) {
	for _, v := range []variant{variants[4], variants[5], variants[6], variants[7]} {
		for name, provoke := range map[string]func(w http.ResponseWriter, c *h2client){
			"RST_STREAM": func(w http.ResponseWriter, _ *h2client) {
				must(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Millisecond)))
			},
			"GOAWAY": func(_ http.ResponseWriter, c *h2client) {
				must(t, c.fr.WriteRawFrame(http2.FrameData, 0, 0, nil)) // of no stream
				c.flush()
			},
		} {
			for _, begun := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/begun=%v", v.name, name, begun), func(t *testing.T) {
					t.Parallel() // the server waits for a second after its GOAWAY
					var vs visits
					s := v.configure(t, &vs)
					s.Handler = vs.outer(s.Handler)
					l := listen(t)
					s.addr = l.Addr().String()
					x := new(reaction)
					s.serve(t, httpwire.Listener(reacting{l, x}))
					ready := make(chan *h2client, 1)
					visit := vs.expect("/", func(w http.ResponseWriter, r *http.Request) {
						cancel.FromContext(r.Context()).Flag()
						if !httpwire.Lent(r) {
							t.Error("the flag was not lent")
						}
						c := receive(t, ready, "the client")
						x.to.Store(httpwire.SetterData(r))
						if begun {
							httpwire.HalfWithdraw(r)
						}
						provoke(w, c)
						waitFor(t, "the client's reaction", x.done.Load)
						if httpwire.Fired(r) {
							t.Error("the thread has set the flag")
						}
						x.to.Store(0)
						receive(t, r.Context().Done(), "the context to be done")
					})
					c := s.h2(t)
					c.get("/")
					c.ping() // the answers to what the client has sent are out
					ready <- c
					receive(t, visit.ended, "the handler to return")
					if cause := context.Cause(visit.ctx); errors.Is(cause, httpwire.ErrDisconnected) || visit.count.Load() != 0 {
						t.Errorf("cause = %v; callbacks %d", cause, visit.count.Load())
					}
				})
			}
		}
	}
}

// C6: a flag that is asked for when the thread has seen the end of the HTTP/2 connection, and the reader
// has not, is set at once.
func TestSetter_seenBeforeHTTP2(t *testing.T) {
	for _, v := range both(true) {
		if v.proto != httpwire.HTTP2 {
			continue
		}
		var vs visits
		s, held := vs.serveHeld(t, v)
		ready, asked := make(chan struct{}), make(chan struct{})
		first := vs.expect("/first", func(_ http.ResponseWriter, r *http.Request) {
			flag := cancel.FromContext(r.Context()).Flag()
			receive(t, asked, "the other stream")
			if !flag.IsSet() {
				t.Error("the flag that was lent is not set")
			}
		})
		second := vs.expect("/second", func(_ http.ResponseWriter, r *http.Request) {
			defer close(asked)
			tok := cancel.FromContext(r.Context())
			release := held.hold()
			defer release()
			close(ready)
			waitFor(t, "the FIN", func() bool { return httpwire.PeerLeft(r) })
			waitFor(t, "the thread", func() bool { return httpwire.Seen(r) })
			if !tok.Flag().IsSet() {
				t.Error("the flag is not set")
			}
		})
		c := s.h2(t)
		c.get("/first")
		receive(t, first.begun, "the first handler")
		waitFor(t, "its flag", func() bool { return httpwire.FlagsOf(first.ctx) > 0 })
		c.get("/second")
		receive(t, ready, "the handler")
		must(t, c.below.Close())
		for _, v := range []*visit{first, second} {
			receive(t, v.ended, "the handler to return")
			if n := v.count.Load(); n != 1 {
				t.Errorf("callback started %d times, want once", n)
			}
		}
	}
}

// N4: an event that comes late, when its HTTP/2 connection is over, does nothing to the streams of those that have
// its entries.
func TestSetter_lateForChain(t *testing.T) {
	var vs visits
	s, _ := vs.serveHeld(t, variants[5])
	const streams = 3
	var old []uint64
	for round := range 5 {
		flags, end := make(chan cancel.Flag, streams), make(chan struct{})
		var req atomic.Pointer[http.Request]
		var all []*visit
		c := s.h2(t)
		for i := range streams {
			path := fmt.Sprintf("/%d/%d", round, i)
			all = append(all, vs.expect(path, func(_ http.ResponseWriter, r *http.Request) {
				req.Store(r)
				flags <- cancel.FromContext(r.Context()).Flag()
				receive(t, end, "the test")
			}))
			c.get(path)
		}
		var got []cancel.Flag
		for range streams {
			got = append(got, receive(t, flags, "the flags"))
		}
		data := httpwire.SetterData(req.Load())
		for _, d := range old {
			if d == data {
				t.Error("a connection has the name of another")
			}
			httpwire.SetFlag(d, httpwire.EventRST)
		}
		old = append(old, data)
		for _, f := range got {
			if f.IsSet() {
				t.Error("an event of an earlier connection has set a flag")
			}
		}
		close(end)
		for _, v := range all {
			receive(t, v.ended, "the handler to return")
			if n := v.count.Load(); n != 0 {
				t.Errorf("callback started %d times", n)
			}
		}
		must(t, c.below.Close())
		waitFor(t, "the connection to be closed", func() bool { return s.open.Load() == 0 })
	}
}

// N3, N4, C1: connections with several streams at a time, that lend and take back, against the thread's part in
// other goroutines, with events of connections that end, of those that are over, and twice. A word is set if and only if
// its entry says so; one that is lent after its connection's end is not missed.
func TestSetter_stressChain(t *testing.T) {
	var data atomic.Uint64
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
	var fired, wrong, missed, ended atomic.Int64
	n := max(*requests, 200)
	if testing.Short() {
		n /= 10
	}
	for i := 0; i < n/10 || starved(i, n) && (fired.Load() == 0 || ended.Load() == 0); i++ {
		c := httpwire.TakeChain()
		var mu sync.Mutex // tcp.mu
		var over atomic.Bool
		ends := rand.IntN(12)
		var lent atomic.Int64
		var streams sync.WaitGroup
		for range 4 {
			streams.Go(func() {
				for range 4 {
					var tok cancel.Token
					f := tok.Flag()
					if lent.Add(1) == int64(ends) {
						data.Store(c.Data())
					}
					was := over.Load()
					mu.Lock()
					e, ok := c.Lend(f.Pointer())
					mu.Unlock()
					if !ok {
						ended.Add(1)
						if f.IsSet() {
							wrong.Add(1)
						}
						tok.Close()
						continue
					}
					for range rand.IntN(6) {
						runtime.Gosched()
					}
					mu.Lock()
					set := e.Withdraw()
					if set != f.IsSet() {
						wrong.Add(1)
					}
					c.Free(e)
					mu.Unlock()
					if was && !set {
						missed.Add(1) // lent though the end had been seen, and left unset
					}
					if set {
						fired.Add(1)
						over.Store(true)
					}
					tok.Close()
				}
			})
		}
		streams.Wait()
		c.Give()
	}
	close(done)
	setters.Wait()
	t.Logf("%d connections, %d flags set, %d asked for after the end", n/10, fired.Load(), ended.Load())
	if wrong.Load() != 0 || missed.Load() != 0 || fired.Load() == 0 || ended.Load() == 0 {
		t.Errorf("%d words are not what their entry says, %d lent after the end; %d set, %d refused", wrong.Load(), missed.Load(), fired.Load(), ended.Load())
	}
}

// visitor2 is visitor on HTTP/2: n requests on one connection, some at a time, some reset by the client; and it may leave in the
// middle of others.
func visitor2(t *testing.T, s *server, n int, leave bool) {
	c, below, err := s.connect()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = below.Close() }()
	_, _ = io.WriteString(c, http2.ClientPreface)
	x := &streamer{fr: http2.NewFramer(c, c), next: 1}
	x.enc = hpack.NewEncoder(&x.head)
	_ = x.fr.WriteSettings()
	for n > 0 {
		open := make(map[uint32]bool)
		for range min(n, 1+rand.IntN(4)) {
			open[x.get("/stay")] = true
			n--
		}
		var aborted uint32
		if leave && rand.IntN(4) == 0 {
			aborted = x.get("/leave")
		}
		if err := x.await(open); err != nil {
			t.Error(err)
			return
		}
		if aborted != 0 {
			_ = x.fr.WriteRSTStream(aborted, http2.ErrCodeCancel)
		}
	}
	if !leave {
		return
	}
	for range 1 + rand.IntN(3) {
		x.get("/leave")
	}
	time.Sleep(time.Duration(rand.Int64N(int64(500 * time.Microsecond)))) // any moment
	if rand.IntN(2) == 0 {
		_ = below.SetLinger(0)
	}
}

// A streamer is a client of HTTP/2 on one goroutine.
type streamer struct {
	fr   *http2.Framer
	head bytes.Buffer
	enc  *hpack.Encoder
	next uint32
}

func (x *streamer) get(path string) (id uint32) {
	x.head.Reset()
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "h"}, {":path", path}} {
		_ = x.enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	id = x.next
	x.next += 2
	_ = x.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: x.head.Bytes(), EndStream: true, EndHeaders: true})
	return id
}

// await reads until those that are open have been answered.
func (x *streamer) await(open map[uint32]bool) error {
	for len(open) > 0 {
		f, err := x.fr.ReadFrame()
		if err != nil {
			return err
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = x.fr.WriteSettingsAck()
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return fmt.Errorf("the server sent %v", f)
		case *http2.DataFrame:
			if f.StreamEnded() {
				delete(open, f.StreamID)
			}
		}
	}
	return nil
}
