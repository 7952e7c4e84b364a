package frameworks_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// features are what a handler finds its ResponseWriter able to do.
type features struct {
	Flusher, Hijacker, Pusher, ReaderFrom, CloseNotifier  bool // by type assertion
	Flush, ReadDeadline, WriteDeadline, FullDuplex, Write bool // by http.ResponseController
}

func featuresOf(w http.ResponseWriter) (f features) {
	_, f.Flusher = w.(http.Flusher)
	_, f.Hijacker = w.(http.Hijacker)
	_, f.Pusher = w.(http.Pusher)
	_, f.ReaderFrom = w.(io.ReaderFrom)
	_, f.CloseNotifier = w.(interface{ CloseNotify() <-chan bool })
	rc := http.NewResponseController(w)
	f.ReadDeadline = rc.SetReadDeadline(time.Time{}) == nil
	f.WriteDeadline = rc.SetWriteDeadline(time.Time{}) == nil
	f.FullDuplex = rc.EnableFullDuplex() == nil
	_, err := io.WriteString(w, "ok\n")
	f.Write = err == nil
	func() {
		defer func() { _ = recover() }() // Echo panics where it can't flush
		f.Flush = rc.Flush() == nil
	}()
	return f
}

// H7: a handler in a framework finds its ResponseWriter able to do what it can
// without httpwire, no more and no less.
func TestStack_writerKeepsAll(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		var got [2]features
		for i, configured := range []bool{false, true} {
			found := make(chan features, 1)
			s := v.start(t, k.handler(func(c call) {
				if c.w != nil {
					found <- featuresOf(c.w)
				} else {
					found <- features{}
				}
			}, time.Hour), configured)
			ctx, stop := context.WithTimeout(context.Background(), bound)
			must(t, k.do(ctx, s.client(t), s.url))
			stop()
			got[i] = receive(t, found, "the handler")
		}
		if got[0] != got[1] {
			t.Errorf("with httpwire:\n%+v, without:\n%+v", got[1], got[0])
		}
		if f := got[1]; f.Write && (f.Flush == k.noFlush || f.Flusher == k.noFlush) {
			t.Errorf("%+v, want Flush: %v", f, !k.noFlush)
		}
	})
}

// A stream reaches its client piece by piece, and the client that leaves in the
// middle is noticed.
func TestStack_stream(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		if k.noFlush || k.rpc() {
			return
		}
		visit := newVisit()
		s := v.start(t, k.handler(func(c call) {
			c.w.Header().Set("Content-Type", "text/plain")
			for _, piece := range []string{"one\n", "two\n"} {
				_, _ = io.WriteString(c.w, piece)
				if err := http.NewResponseController(c.w).Flush(); err != nil {
					t.Error(err)
				}
			}
			visit.serve(c)
		}, time.Hour), true)
		ctx, leave := context.WithTimeout(context.Background(), bound)
		defer leave()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/work", nil)
		must(t, err)
		resp, err := s.client(t).Do(r)
		must(t, err)
		defer func() { _ = resp.Body.Close() }()
		body := bufio.NewReader(resp.Body)
		for _, want := range []string{"one\n", "two\n"} {
			if got, err := body.ReadString('\n'); got != want {
				t.Fatalf("read %q, %v, want %q", got, err, want)
			}
		}
		must(t, receive(t, visit.ready, "the handler"))
		leave()
		wantLeft(t, receive(t, visit.fired, "OnDisconnect's callback"), v.proto, false)
		receive(t, visit.cause, "the handler's context")
		receive(t, s.ended, "the handler's end")
		visit.notFired(t)
	})
}

// On HTTP/1 a handler can take the connection over, by the type assertion that
// every WebSocket library makes; the connection's close is reported.
func TestStack_hijack(t *testing.T) {
	each(t, func(t *testing.T, k stack, v way) {
		if v.proto != httpwire.HTTP1 || v.tls || k.noFlush || k.rpc() {
			return
		}
		visit := newVisit()
		s := v.start(t, k.handler(func(c call) {
			h, ok := c.w.(http.Hijacker)
			if !ok {
				t.Errorf("%T is no http.Hijacker", c.w)
				return
			}
			conn, _, err := h.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello\n")
			_, err = httpwire.OnDisconnect(c.r, func(d *httpwire.Disconnect) { visit.fired <- d })
			visit.ready <- err
			wait, stop := context.WithTimeout(context.Background(), bound)
			defer stop()
			select {
			case d := <-visit.fired:
				visit.cause <- d
			case <-wait.Done():
				visit.cause <- wait.Err()
			}
		}, time.Hour), true)
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), bound)
		must(t, err)
		defer func() { _ = conn.Close() }()
		must(t, conn.SetDeadline(time.Now().Add(bound)))
		_, err = io.WriteString(conn, "GET /work HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		must(t, err)
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		must(t, err)
		if hello, err := in.ReadString('\n'); resp.StatusCode != http.StatusSwitchingProtocols || hello != "hello\n" {
			t.Fatalf("answer %s, %q, %v", resp.Status, hello, err)
		}
		must(t, receive(t, visit.ready, "the handler"))
		must(t, conn.Close())
		d, ok := receive(t, visit.cause, "OnDisconnect's callback").(*httpwire.Disconnect)
		if !ok {
			t.Fatal("the close of a hijacked connection was not reported")
		}
		wantLeft(t, d, v.proto, false)
		receive(t, s.ended, "the handler's end")
	})
}
