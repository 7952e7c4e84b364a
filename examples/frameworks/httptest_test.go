package frameworks_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// idleNotice calls f when its idle connections are closed.
type idleNotice struct {
	http.RoundTripper
	f func()
}

func (n idleNotice) CloseIdleConnections() { n.f() }

// begin reads the beginning of an answer, and leaves it open. Its end is lost:
// httptest closes an HTTP/2 connection before net/http has flushed its last frame.
func begin(t *testing.T, c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	_, err = io.ReadFull(resp.Body, make([]byte, len("ok\n")))
	return err
}

// Close of an httptest.Server waits for its requests, and lets none of them look
// left by its client. It closes connections in StateNew, so it has to learn their
// states although it sets its hook after Configure.
func TestHTTPTest_closeWaits(t *testing.T) {
	for _, v := range ways {
		if !v.httptest {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			visit := newVisit()
			closing, answered := make(chan struct{}), make(chan struct{})
			ts := httptest.NewUnstartedServer(serveHTTP(func(c call) {
				_, err := httpwire.OnDisconnect(c.r, func(d *httpwire.Disconnect) { visit.fired <- d })
				visit.ready <- err
				receive(t, closing, "Close to have closed what it closes")
				c.ok()
				_ = http.NewResponseController(c.w).Flush()
				receive(t, answered, "the client")
			}))
			ts.EnableHTTP2 = v.proto == httpwire.HTTP2
			s := &server{way: v, ended: make(chan struct{}, 1)}
			ts.Listener = s.finish(t, ts.Config, ts.Listener, true)
			if v.tls {
				ts.StartTLS()
			} else {
				ts.Start()
			}
			// It is the next thing that Close does before it waits.
			ts.Client().Transport = idleNotice{ts.Client().Transport, sync.OnceFunc(func() { close(closing) })}
			c, answer, closed := s.client(t), make(chan error, 1), make(chan struct{})
			go func() { answer <- begin(t, c, ts.URL) }()
			must(t, receive(t, visit.ready, "the handler"))
			go func() { ts.Close(); close(closed) }()
			if err := receive(t, answer, "the client"); err != nil {
				t.Errorf("the client got %v", err)
			}
			visit.notFired(t)
			close(answered)
			receive(t, s.ended, "the handler's end")
			receive(t, closed, "Close to return")
		})
	}
}
