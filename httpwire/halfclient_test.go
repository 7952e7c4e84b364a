package httpwire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// A halfClient reads what a client that has half-closed still gets.
type halfClient struct {
	c     net.Conn
	below *net.TCPConn
	r     *bufio.Reader
	asked int // interim responses that ask
}

func (s *server) half(t testing.TB, format, path string) *halfClient {
	t.Helper()
	c, below := s.dial(t)
	send(t, c, format, path)
	return &halfClient{c: c, below: below, r: bufio.NewReader(c)}
}

// next reads one response, interim or final, and its body.
func (c *halfClient) next() (*http.Response, string, error) {
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, "", err
	}
	if res.StatusCode == http.StatusProcessing {
		c.asked++
	}
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// final skips interim responses and asserts the final one.
func (c *halfClient) final(t testing.TB, body string) {
	t.Helper()
	for {
		res, got, err := c.next()
		if err != nil {
			t.Errorf("reading the answer: %v", err)
			return
		}
		if res.StatusCode >= 200 {
			if res.StatusCode != 200 || got != body {
				t.Errorf("answer: %s, body of %d bytes, want %d", res.Status, len(got), len(body))
			}
			return
		}
	}
}

// over asserts that nothing comes any more.
func (c *halfClient) over(t testing.TB) {
	t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) != 0 || err != nil {
		t.Errorf("behind the answer: %q, %v", rest, err)
	}
}

// question waits for the probe, so that it is known to have come.
func (c *halfClient) question(t testing.TB, v variant) {
	t.Helper()
	if v.opts.HalfClose != httpwire.HalfCloseProbe {
		return
	}
	if res, _, err := c.next(); err != nil || res.StatusCode != http.StatusProcessing {
		t.Fatalf("waiting to be asked: %v, %v", res, err)
	}
}
