//go:build cgo

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/examples/internal/servetest"
	"github.com/hangup-go/hangup/examples/internal/spin"
)

// stoppedInC reports whether err is what C says when it saw the flag.
func stoppedInC(err error) bool {
	var se sqlite3.Error
	return errors.Is(err, spin.ErrStopped) || errors.As(err, &se) && se.Code == sqlite3.ErrInterrupt
}

// The main job: the client leaves, the native call stops. Each in the middle of
// a call that would run for minutes, with one callback, over every protocol,
// with a body nobody reads or none.
func TestHangUp_stopsTheCall(t *testing.T) {
	f := start(t)
	endless := queryPath(endlessSQL)
	for _, p := range servetest.EveryProtocol {
		for i, r := range []struct{ method, path, body string }{
			{"GET", endless, ""},
			{"POST", "/query", endlessSQL},
			{"POST", endless, "a body that nobody reads"},
			{"GET", "/spin?ms=600000", ""},
			{"POST", "/spin?ms=600000", "a body that nobody reads"},
			{"POST", "/spin?ms=600000&read=1", "a body that is read"},
		} {
			t.Run(fmt.Sprintf("%s/%s %.20s/%d", p.Name, r.method, r.path, i), func(t *testing.T) {
				f.mustStop(t, p, r.method, r.path, r.body)
			})
		}
	}
}

func (f *fixture) mustStop(t *testing.T, p client.Protocol, method, path, body string) {
	before := f.Calls()
	c := f.Dial(t, p)
	call := f.Events.Expect(t.Name())
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	ended := make(chan servetest.Exchange, 1)
	go func() { ended <- c.Do(ctx, method, path, strings.NewReader(body), t.Name()) }()
	servetest.Receive(t, call.Entered, "the call to enter C")
	leave()
	if ret := servetest.Receive(t, call.Returned, "C to return"); !stoppedInC(ret.Err) {
		t.Errorf("C returned %v", ret.Err)
	}
	if e := servetest.Receive(t, ended, "the client's own end"); !errors.Is(e.Err, context.Canceled) {
		t.Errorf("the client got %+v", e)
	}
	f.MustCount(t, before, t.Name())
}

// rawRequest writes bytes on a new connection to the cleartext port.
func (f *fixture) rawRequest(t *testing.T, request string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", f.Plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if _, err := io.WriteString(nc, request); err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn)
}

// What net/http alone never notices: the handler does not read the body, and the
// client closes or resets. wire.md, first table.
func TestHangUp_unreadBody(t *testing.T) {
	f := start(t)
	get := "GET " + queryPath(endlessSQL) + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: @\r\n\r\n"
	post := "POST " + queryPath(endlessSQL) + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: @\r\n"
	for name, request := range map[string]string{
		"whole body":           post + "Content-Length: 4\r\n\r\nbody",
		"part of the body":     post + "Content-Length: 1000\r\n\r\nbody",
		"no last chunk":        post + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
		"100-continue":         post + "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n",
		"one stray byte":       get + "G",
		"a pipelined request":  get + "GET /healthz HTTP/1.1\r\nHost: x\r\n", // all but its last two bytes: it is never handled
		"64 KiB of the body":   post + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 64<<10),
		"nothing but a header": get,
	} {
		for _, how := range []string{"close", "reset"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				before := f.Calls()
				id := url.QueryEscape(t.Name())
				call := f.Events.Expect(id)
				nc := f.rawRequest(t, strings.Replace(request, "@", id, 1))
				servetest.Receive(t, call.Entered, "the query to enter C")
				if how == "reset" {
					if err := nc.SetLinger(0); err != nil {
						t.Fatal(err)
					}
				}
				nc.Close()
				if ret := servetest.Receive(t, call.Returned, "C to return"); !stoppedInC(ret.Err) {
					t.Errorf("C returned %v", ret.Err)
				}
				f.MustCount(t, before, id)
			})
		}
	}
}

// With read=1 a body that breaks off counts as its client's leaving, even when
// the connection is as good as before: the client does get the 499.
func TestSpin_bodyBreaksOff(t *testing.T) {
	f := start(t)
	call := f.Events.Expect("broken")
	nc := f.rawRequest(t, "POST /spin?ms=600000&read=1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: broken\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
	servetest.Receive(t, call.Entered, "the call to enter C")
	if _, err := io.WriteString(nc, "not a chunk\r\n"); err != nil {
		t.Fatal(err)
	}
	if ret := servetest.Receive(t, call.Returned, "C to return"); !stoppedInC(ret.Err) {
		t.Errorf("C returned %v", ret.Err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != serve.StatusClientLeft {
		t.Errorf("status %s", resp.Status)
	}
	if n := f.Calls().Disconnects["HTTP/1"]["body aborted"]; n != 1 {
		t.Errorf("disconnects %v", f.Calls().Disconnects)
	}
}

// The body's sender gives up while C runs, over every protocol.
func TestSpin_bodyAborted(t *testing.T) {
	f := start(t)
	for _, p := range servetest.EveryProtocol {
		t.Run(p.Name, func(t *testing.T) {
			before := f.Calls()
			call := f.Events.Expect(t.Name())
			body, sender := io.Pipe()
			ended := make(chan servetest.Exchange, 1)
			c := f.Dial(t, p)
			go func() { ended <- c.Do(t.Context(), "POST", "/spin?ms=600000&read=1", body, t.Name()) }()
			if _, err := io.WriteString(sender, "the first part"); err != nil {
				t.Fatal(err)
			}
			servetest.Receive(t, call.Entered, "the call to enter C")
			sender.CloseWithError(errors.New("gave up"))
			if ret := servetest.Receive(t, call.Returned, "C to return"); !stoppedInC(ret.Err) {
				t.Errorf("C returned %v", ret.Err)
			}
			if e := servetest.Receive(t, ended, "the client's own end"); e.Status == 200 {
				t.Errorf("the client got %+v", e)
			}
			servetest.Until(t, "the handler to return", func() bool { return f.Inside() == 0 })
			if n := servetest.Total(f.Calls().Disconnects) - servetest.Total(before.Disconnects); n != 1 {
				t.Errorf("%d disconnects: %v", n, f.Calls().Disconnects)
			}
		})
	}
}

// A client that is slow with its body is not one that has left.
func TestSpin_slowBody(t *testing.T) {
	f := start(t)
	for _, p := range servetest.EveryProtocol {
		t.Run(p.Name, func(t *testing.T) {
			body, sender := io.Pipe()
			defer sender.Close()
			ended := make(chan servetest.Exchange, 1)
			c := f.Dial(t, p)
			go func() { ended <- c.Do(t.Context(), "POST", "/spin?ms=50&read=1", body, t.Name()) }()
			if _, err := io.WriteString(sender, "the first part"); err != nil {
				t.Fatal(err)
			}
			if e := servetest.Receive(t, ended, "an answer before the body's end"); e.Status != 200 {
				t.Errorf("the client got %+v", e)
			}
		})
	}
	if n := f.Calls(); servetest.Total(n.Disconnects) != 0 || n.CallbacksFired != 0 {
		t.Errorf("nobody left, and yet %+v", n)
	}
}

// N1: a client that leaves while its query waits for a connection is forgotten;
// the query never reaches C. It shows as queued before.
func TestHangUp_whileQueued(t *testing.T) {
	f := start(t, "-conns", "1")
	c := f.Dial(t, client.HTTP2)
	running := f.Events.Expect("running")
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan servetest.Exchange, 1)
	go func() { first <- c.Do(ctx, "GET", queryPath(endlessSQL), nil, "running") }()
	servetest.Receive(t, running.Entered, "the first query to enter C")
	started := f.Calls().Started

	waiting := f.Events.Expect("waiting")
	ctx2, leave2 := context.WithCancel(t.Context())
	second := make(chan servetest.Exchange, 1)
	go func() { second <- c.Do(ctx2, "GET", queryPath(endlessSQL), nil, "waiting") }()
	servetest.Until(t, "the second query to be queued", func() bool { return c.Calls().Queued == 1 })
	if n := c.Calls(); n.Running != 1 {
		t.Errorf("one runs, one waits: %+v", n)
	}
	leave2()
	servetest.Receive(t, second, "the second client's end")
	servetest.Until(t, "the second handler to return", func() bool { return f.Inside() == 1 })
	select {
	case <-waiting.Entered:
		t.Error("the second query reached C")
	default:
	}
	if n := c.Calls(); n.Queued != 0 || n.Started != started || n.Running != 1 {
		t.Errorf("after the second left: %+v", n)
	}
	leave()
	servetest.Receive(t, running.Returned, "the first query to stop")
	servetest.Receive(t, first, "the first client's end")
}
