package h3_test

import (
	"context"
	"errors"
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

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/stress"
)

// H3, C3, rule 3: of many requests that end normally, in all ways there are, on
// servers that are closed and shut down under their clients, none fires. Nothing
// is left: no flag, no goroutine (goleak in TestMain).
func TestStress_completions(t *testing.T) {
	flags := cancel.FlagsInUse()
	h := stress.NewHandler()
	want, start := share(*requests), time.Now()
	limit := start.Add(2*bound + time.Duration(want)*50*time.Millisecond)
	var failed, servers int64
	for h.Entered.Load() < want && time.Now().Before(limit) {
		failed += generation(t, h, min(want, h.Entered.Load()+max(want/20, 50)), servers)
		servers++
	}
	t.Logf("%d completions on %d servers in %v: %d fired; %d without an answer (panics, deadlines, closed servers): %s",
		h.Entered.Load(), servers, time.Since(start).Round(time.Millisecond), h.Fired.Load(), failed, h.Counts())
	if h.Fired.Load() != 0 {
		t.Errorf("%d fired, the first: %s", h.Fired.Load(), *h.First.Load())
	}
	if h.Entered.Load() < want || h.Refused.Load() != 0 || failed > want/2 {
		t.Errorf("%d of %d; %d registrations refused, %d failed", h.Entered.Load(), want, h.Refused.Load(), failed)
	}
	if n := cancel.FlagsInUse(); n != flags {
		t.Errorf("%d flags in use, %d before", n, flags)
	}
}

// generation runs one server until the handler has been entered so often, and
// ends it under its clients: by Close or by Shutdown in turn.
func generation(t *testing.T, h *stress.Handler, until, number int64) int64 {
	s := serve(t, nil, func(s *http3.Server) { s.Handler = h })
	var failed atomic.Int64
	var over atomic.Bool
	var wg sync.WaitGroup
	var clients []*http3.Transport
	for range 4 {
		rt := &http3.Transport{TLSClientConfig: s.tls.Clone()}
		clients = append(clients, rt)
		for range 4 {
			wg.Go(func() {
				for !over.Load() {
					r := stress.Request(httpwire.HTTP3, "https://"+s.addr)
					if stress.Take(rt, r) != nil && !over.Load() {
						failed.Add(1)
					}
				}
			})
		}
	}
	for end := time.Now().Add(4*bound + time.Duration(until)*5*time.Millisecond); h.Entered.Load() < until && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	over.Store(true)
	if number%2 == 0 {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
		_ = s.Shutdown(ctx)
		stop()
	}
	_ = s.Close() // waits for the handlers
	for _, rt := range clients {
		_ = rt.Close() // some are dialling what is no longer there
	}
	wg.Wait()
	return failed.Load()
}

// A moment is when a client leaves.
type moment int

const (
	inRequest      moment = iota // at once: the header may not have been read
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
	byStop  manner = iota // STOP_SENDING
	byAbort               // RESET_STREAM: the request's body has not ended
	byBoth
	byClose // of the connection
)

const answerSize = 5000

// A departure is one request and its client's leaving.
type departure struct {
	moment                        moment
	manner                        manner
	code                          uint64
	entered, written, left, ended chan struct{}
	told                          chan struct{}
	fired                         atomic.Int32
	over                          atomic.Bool
	d                             atomic.Pointer[httpwire.Disconnect]
}

type departures struct {
	t              testing.TB
	m              sync.Map
	entered, ended atomic.Int64
	fires, misses  atomic.Int64
}

func (y *departures) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := y.m.Load(r.URL.RawQuery)
	if !ok {
		y.t.Errorf("no such request: %v", r.URL)
		return
	}
	x := v.(*departure)
	y.entered.Add(1)
	close(x.entered)
	atEnd(r, func() { x.over.Store(true); y.ended.Add(1); close(x.ended) })
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
		_ = answer(w, answerSize-1)
	case atLastByte:
		_ = answer(w, answerSize)
	case afterComplete:
		if err := answer(w, answerSize); err != nil {
			y.t.Errorf("the client waits, and the answer failed: %v", err)
		}
	}
	close(x.written)
	if x.moment >= atLastByte {
		<-x.left // the watch is about to see it, or not
		return
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-x.told:
		if d := x.d.Load(); context.Cause(r.Context()) != error(d) {
			y.t.Errorf("the cause is %v, not the Disconnect", context.Cause(r.Context()))
		}
	case <-timer.C:
		y.misses.Add(1)
		y.t.Errorf("missed: moment %d, manner %d", x.moment, x.manner)
	}
}

func (x *departure) disconnected(d *httpwire.Disconnect) {
	x.d.Store(d)
	if x.fired.Add(1) == 1 {
		close(x.told)
	}
	if x.over.Load() {
		x.fired.Add(100) // it outlived the handler
	}
}

func answer(w http.ResponseWriter, n int) error {
	w.Header().Set("Content-Length", strconv.Itoa(answerSize))
	_, err := w.Write(make([]byte, n/2))
	if err == nil {
		_, err = w.Write(make([]byte, n-n/2))
	}
	return errors.Join(err, http.NewResponseController(w).Flush())
}

// kinds are the right ones: of two frames, the first seen names the kind. Who aborts a request that
// may not have been read sends the second right behind the first, see depart.
func (x *departure) kinds() []httpwire.Kind {
	if x.manner == byAbort && x.moment == inRequest {
		return []httpwire.Kind{httpwire.BodyAborted, httpwire.StreamReset}
	}
	return [][]httpwire.Kind{
		byStop:  {httpwire.StreamReset},
		byAbort: {httpwire.BodyAborted},
		byBoth:  {httpwire.StreamReset, httpwire.BodyAborted},
		byClose: {httpwire.Closed},
	}[x.manner]
}

func (y *departures) check(x *departure) {
	n, d := x.fired.Load(), x.d.Load()
	y.fires.Add(int64(n))
	least, most := int32(1), int32(1)
	select {
	case <-x.entered:
		switch x.moment {
		case atLastByte:
			least = 0
		case afterComplete:
			least, most = 0, 0
		}
	default:
		least, most = 0, 0
	}
	if n < least || n > most {
		y.t.Errorf("moment %d, manner %d: fired %d times: %v", x.moment, x.manner, n, d)
	}
	if d != nil && (!slices.Contains(x.kinds(), d.Kind) || d.Proto != httpwire.HTTP3 || !d.HasCode || d.Code != x.code) {
		y.t.Errorf("moment %d, manner %d, code %#x: %v (by %v)", x.moment, x.manner, x.code, d, d.Source)
	}
}

// H1, C2, rule 3: clients that leave at any moment and in any manner. Whoever was
// in a handler whose response was not complete is told of once, with a right kind;
// whoever had all of it is not told of.
func TestStress_aborts(t *testing.T) {
	y := &departures{t: t}
	s := serve(t, nil, func(s *http3.Server) { s.Handler = y })
	start, total := time.Now(), share(*aborts)
	var next atomic.Int64
	all := make([]*departure, total+1)
	var wg sync.WaitGroup
	for range 8 {
		c := dial(t, s, nil)
		wg.Go(func() {
			for i := next.Add(1); i <= total && y.misses.Load() == 0; i = next.Add(1) {
				all[i] = y.depart(s, c, strconv.FormatInt(i, 10))
				if all[i].manner == byClose {
					c = dial(t, s, nil)
				}
			}
		})
	}
	wg.Wait()
	_ = s.Close() // waits for the handlers
	for _, x := range all[1:] {
		if x != nil {
			y.check(x)
		}
	}
	t.Logf("%d aborts in %v: %d reached a handler, %d fired, %d missed", total,
		time.Since(start).Round(time.Millisecond), y.entered.Load(), y.fires.Load(), y.misses.Load())
	if y.entered.Load() != y.ended.Load() {
		t.Errorf("%d handlers, %d returned", y.entered.Load(), y.ended.Load())
	}
}

func (y *departures) depart(s *server, c *client, name string) *departure {
	x := &departure{
		moment: moment(rand.IntN(int(moments))), manner: manner(rand.IntN(int(byClose))), code: 0x100 + rand.Uint64N(0x20),
		entered: make(chan struct{}), written: make(chan struct{}), left: make(chan struct{}),
		ended: make(chan struct{}), told: make(chan struct{}),
	}
	if rand.IntN(10) == 0 {
		x.manner, x.code = byClose, 0x100
	}
	y.m.Store(name, x)
	str, err := c.tryOpen(withBody, "/?"+name)
	if err != nil {
		y.t.Error(err)
		close(x.left)
		return x
	}
	if rand.IntN(2) == 0 {
		_, _ = str.Write(make([]byte, rand.IntN(100)))
	}
	if x.moment != inRequest {
		recv(y.t, x.entered, "the handler")
	}
	y.read(str, x)
	switch x.manner {
	case byStop, byBoth:
		if x.manner == byBoth {
			str.CancelWrite(quic.StreamErrorCode(x.code))
		}
		str.CancelRead(quic.StreamErrorCode(x.code))
	case byAbort:
		str.CancelWrite(quic.StreamErrorCode(x.code))
	case byClose:
		_ = c.quic.CloseWithError(quic.ApplicationErrorCode(x.code), "")
	}
	close(x.left)
	if x.moment != inRequest {
		recv(y.t, x.ended, "the handler's return")
	}
	if x.manner != byStop && x.manner != byBoth {
		str.CancelRead(quic.StreamErrorCode(x.code)) // for the stream's sake: the handler has returned, or may not run
	}
	str.CancelWrite(0x100)
	return x
}

// read reads as much as the moment says.
func (y *departures) read(str *http3.RequestStream, x *departure) {
	n := int64(0)
	switch x.moment {
	case inResponse:
		n = rand.Int64N(answerSize)
	case atLastByte:
		n = answerSize - rand.Int64N(4)
	case afterComplete:
		recv(y.t, x.written, "the answer to be written")
		n = rand.Int64N(answerSize + 1)
	default:
		return
	}
	res, err := str.ReadResponse()
	if err == nil {
		_, err = io.CopyN(io.Discard, res.Body, n)
	}
	if err != nil {
		y.t.Errorf("answer: %v", err)
	}
}
