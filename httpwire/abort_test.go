package httpwire_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hangup-go/hangup/httpwire"
)

// A moment is when a client leaves.
type moment int

const (
	inRequest      moment = iota // at any byte of the request, its header included
	beforeRegister               // the handler registers afterwards
	atRegister                   // at the same time
	inResponse                   // having read any part of a response that is short of a byte
	atLastByte                   // having read all but at most three bytes, while it is being completed
	afterComplete                // the handler works on
	moments
)

// A manner is how it leaves.
type manner int

const (
	byClose manner = iota
	byReset
	byStream // RST_STREAM
)

const answerSize = 5000

// A departure is one request and its client's leaving.
type departure struct {
	moment  moment
	manner  manner
	code    http2.ErrCode
	entered chan struct{} // the handler runs
	written chan struct{} // it has written what it writes
	left    chan struct{} // the client has left
	ended   chan struct{} // the handler is about to return
	fired   atomic.Int32
	d       atomic.Pointer[httpwire.Disconnect]
	told    chan struct{}
}

// kinds are the right ones. A quiet HTTP/1 connection tells a FIN from a RST. A
// close with bytes unread is a RST, and a close that meets what the server sends
// is answered by one; either may be found by a write, as EPIPE. On HTTP/2 the
// server always has something to send: SETTINGS, WINDOW_UPDATE.
func (x *departure) kinds(proto httpwire.Protocol) []httpwire.Kind {
	quiet := proto == httpwire.HTTP1 && x.moment <= atRegister
	switch {
	case x.manner == byStream:
		return []httpwire.Kind{httpwire.StreamReset}
	case quiet && x.manner == byClose:
		return []httpwire.Kind{httpwire.Closed}
	case quiet:
		return []httpwire.Kind{httpwire.Reset}
	case x.manner == byClose:
		return []httpwire.Kind{httpwire.Closed, httpwire.Reset, httpwire.WriteFailed}
	}
	return []httpwire.Kind{httpwire.Reset, httpwire.WriteFailed}
}

// departures is the handler.
type departures struct {
	t             testing.TB
	v             variant
	m             sync.Map // path -> *departure
	mu            sync.Mutex
	entered       int64
	running       int64
	over          bool // who comes now comes too late to be checked
	fires, misses atomic.Int64
	by            [moments]atomic.Int64
}

// enter reports whether a handler that has just been called is in time. A client that leaves inside its
// request may be long gone when the server gets to it.
func (y *departures) enter(x *departure) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.over {
		return false
	}
	y.entered++
	y.running++
	close(x.entered)
	return true
}

func (y *departures) leave() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.running--
}

// end reports whether no handler runs, and if so, lets none in any more.
func (y *departures) end() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.over = y.running == 0
	return y.over
}

func (y *departures) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := y.m.Load(r.URL.Path)
	if !ok {
		y.t.Errorf("no such path: %q", r.URL.Path)
		return
	}
	x := v.(*departure)
	if !y.enter(x) {
		return
	}
	y.by[x.moment].Add(1)
	defer func() { close(x.ended); y.leave() }()
	switch x.moment {
	case beforeRegister:
		<-x.left
	case atRegister:
		for range rand.IntN(50) {
			runtime.Gosched()
		}
	}
	if _, err := httpwire.OnDisconnect(r, x.disconnected); err != nil {
		y.t.Error(err)
	}
	switch x.moment {
	case inResponse:
		answer5000(w, answerSize-1)
		close(x.written)
	case atLastByte:
		answer5000(w, answerSize)
	case afterComplete:
		if err := answer5000(w, answerSize); err != nil {
			y.t.Errorf("the client waits, and the answer failed: %v", err)
		}
		close(x.written)
	}
	y.wait(r, x)
}

// wait waits until the client's leaving is known, and checks what is told of it.
func (y *departures) wait(r *http.Request, x *departure) {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	wanted, what := (<-chan struct{})(x.told), "callback"
	if x.moment >= atLastByte {
		wanted, what = r.Context().Done(), "context"
	}
	select {
	case <-wanted:
	case <-timer.C:
		y.misses.Add(1)
		y.t.Errorf("%s: missed by the %s: moment %d, manner %d", y.v.name, what, x.moment, x.manner)
		return
	}
	d := x.d.Load()
	if d == nil {
		return // check sees what comes after
	}
	if context.Cause(r.Context()) != error(d) {
		y.t.Errorf("the cause is %v, not the Disconnect", context.Cause(r.Context()))
	}
}

func (x *departure) disconnected(d *httpwire.Disconnect) {
	x.d.Store(d)
	if x.fired.Add(1) == 1 {
		close(x.told)
	}
}

// check is called when all is over.
func (y *departures) check(x *departure) {
	n, d := x.fired.Load(), x.d.Load()
	select {
	case <-x.entered:
	default:
		if n != 0 {
			y.t.Errorf("fired without a handler")
		}
		return
	}
	y.fires.Add(int64(n))
	least, most := int32(1), int32(1)
	switch x.moment {
	case atLastByte:
		least = 0
	case afterComplete:
		least, most = 0, 0
	}
	if n < least || n > most {
		y.t.Errorf("%s: moment %d, manner %d: fired %d times: %v", y.v.name, x.moment, x.manner, n, d)
	}
	if d == nil {
		return
	}
	if !slices.Contains(x.kinds(y.v.proto), d.Kind) || d.Proto != y.v.proto || !errors.Is(d, httpwire.ErrDisconnected) ||
		d.HasCode != (x.manner == byStream) || d.Code != uint64(x.code) {
		y.t.Errorf("%s: moment %d, manner %d, code %v: %v (by %v), want %v", y.v.name, x.moment, x.manner, x.code, d, d.Source, x.kinds(y.v.proto))
	}
}

// answer5000 writes n bytes of a response that says it has answerSize.
func answer5000(w http.ResponseWriter, n int) error {
	w.Header().Set("Content-Length", strconv.Itoa(answerSize))
	_, err := w.Write(make([]byte, n/2))
	if err == nil {
		_, err = w.Write(make([]byte, n-n/2))
	}
	return errors.Join(err, http.NewResponseController(w).Flush())
}

// H1, C2, rule 3: clients that leave at any moment and in any manner. Whoever was
// in a handler whose response was not complete is told of once, with a right kind;
// whoever had all of it is not told of.
func TestStress_aborts(t *testing.T) {
	stressed(t, func(t *testing.T, v variant, n func(int) int) {
		y := &departures{t: t, v: v}
		s := v.configure(t, y)
		stop := s.listenUntilStopped(t)
		start, total := time.Now(), int64(n(*aborts))
		var next atomic.Int64
		all := make([]*departure, total+1)
		var wg sync.WaitGroup
		for range 4 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := next.Add(1); i <= total && y.misses.Load() == 0; i = next.Add(1) {
					all[i] = s.depart(t, y, "/"+strconv.FormatInt(i, 10))
				}
			})
		}
		wg.Wait()
		waitFor(t, "the handlers to return", y.end)
		_ = s.Close()
		stop()
		for _, x := range all[1:] {
			if x != nil {
				y.check(x)
			}
		}
		t.Logf("%d aborts in %v: %d reached a handler, %d fired, %d missed; by moment %v", total,
			time.Since(start).Round(time.Millisecond), y.entered, y.fires.Load(), y.misses.Load(), y.moments())
	})
}

func (y *departures) moments() (n [moments]int64) {
	for i := range n {
		n[i] = y.by[i].Load()
	}
	return n
}

// depart sends one request and leaves.
func (s *server) depart(t testing.TB, y *departures, path string) *departure {
	x := &departure{
		moment: moment(rand.IntN(int(moments))), manner: manner(rand.IntN(2)),
		entered: make(chan struct{}), written: make(chan struct{}), left: make(chan struct{}),
		ended: make(chan struct{}), told: make(chan struct{}),
	}
	if s.proto == httpwire.HTTP2 && rand.IntN(2) == 0 {
		x.manner, x.code = byStream, http2.ErrCode(rand.IntN(20))
	}
	y.m.Store(path, x)
	c, below, err := s.connect()
	if err != nil {
		t.Error(err)
		return x
	}
	defer func() { _ = c.Close() }()
	msg, header := s.message(path)
	cut := len(msg)
	if x.moment == inRequest {
		cut = rand.IntN(len(msg) + 1)
		if x.manner == byStream {
			cut = header + rand.IntN(2)*(len(msg)-header) // whole frames
		}
	}
	if s.proto == httpwire.HTTP2 {
		setUp, rst := h2frames(x.code)
		msg, cut, header = append(setUp, msg...), cut+len(setUp), header+len(setUp)
		if x.manner == byStream && x.moment == inRequest {
			msg = append(msg[:cut:cut], rst...)
			cut = len(msg)
		}
	}
	if _, err := c.Write(msg[:cut]); err != nil {
		t.Error(err)
		return x
	}
	sure := cut >= header && (x.moment != inRequest || x.manner == byStream || x.manner == byClose && s.proto == httpwire.HTTP1)
	if x.moment != inRequest {
		wait(t, x.entered, "the handler")
		s.readAnswer(t, c, x)
	}
	switch x.manner {
	case byReset:
		_ = below.SetLinger(0)
		_ = below.Close()
	case byClose:
		_ = c.Close()
	case byStream:
		if x.moment != inRequest {
			_, rst := h2frames(x.code)
			_, err = c.Write(rst)
		}
		if err != nil {
			t.Error(err)
		}
	}
	close(x.left)
	if sure {
		wait(t, x.entered, "the handler")
		wait(t, x.ended, "the handler to return")
	}
	return x
}

func wait(t testing.TB, c <-chan struct{}, what string) {
	timer := time.NewTimer(2 * bound)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Errorf("waited %v for %s", 2*bound, what)
	}
}

// readAnswer reads as much as the moment says.
func (s *server) readAnswer(t testing.TB, c io.Reader, x *departure) {
	var body int
	switch x.moment {
	case inResponse:
		_, _ = io.CopyN(io.Discard, c, rand.Int64N(answerSize-1)) // header or body, whichever comes
		if rand.IntN(2) == 0 {
			wait(t, x.written, "the answer to be written")
		}
		return
	case atLastByte:
		body = answerSize - rand.IntN(4)
	case afterComplete:
		wait(t, x.written, "the answer to be written")
		body = rand.IntN(answerSize + 1)
	default:
		return
	}
	if err := s.readBody(c, body); err != nil {
		t.Errorf("answer: %v", err)
	}
}

func (s *server) readBody(c io.Reader, n int) error {
	if s.proto == httpwire.HTTP1 {
		res, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
		if err == nil {
			_, err = io.CopyN(io.Discard, res.Body, int64(n))
		}
		return err
	}
	fr := http2.NewFramer(io.Discard, c)
	for got := 0; got < n; {
		f, err := fr.ReadFrame()
		if err != nil {
			return err
		}
		if d, ok := f.(*http2.DataFrame); ok {
			got += len(d.Data())
		}
	}
	return nil
}

// message is a request with a body, and the length of its header.
func (s *server) message(path string) (msg []byte, header int) {
	body := make([]byte, 50)
	var b bytes.Buffer
	if s.proto == httpwire.HTTP1 {
		fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", path, len(body))
		return append(b.Bytes(), body...), b.Len()
	}
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "h"}, {":path", path}} {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	fr := http2.NewFramer(&b, nil)
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	header = b.Len()
	_ = fr.WriteData(1, true, body)
	return b.Bytes(), header
}

func h2frames(code http2.ErrCode) (setUp, rst []byte) {
	var a, b bytes.Buffer
	a.WriteString(http2.ClientPreface)
	_ = http2.NewFramer(&a, nil).WriteSettings()
	_ = http2.NewFramer(&b, nil).WriteRSTStream(1, code)
	return a.Bytes(), b.Bytes()
}
