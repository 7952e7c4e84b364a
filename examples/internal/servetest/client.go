// Package servetest is what the tests of the example servers have in common:
// clients, processes, and waiting with a bound.
package servetest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

// EveryProtocol has each way to reach a server.
var EveryProtocol = []client.Protocol{client.HTTP1, client.HTTP1TLS, client.H2C, client.HTTP2, client.HTTP3}

// A Conn is a client of one protocol.
type Conn struct {
	t    testing.TB
	http *http.Client
	base string
	p    client.Protocol
}

// Dial makes a client that ends with its test, or before, when stop is called.
func Dial(t testing.TB, s *serve.Sockets, p client.Protocol) (c *Conn, stop func()) {
	h, stop := p.New(s.Trust(), 16)
	t.Cleanup(stop)
	return &Conn{t, h, p.URL(s), p}, stop
}

// An Exchange is what came back. Err is the client's, if nothing did.
type Exchange struct {
	Status int
	Header http.Header
	Body   string
	Err    error
}

// Do makes a request; body may be nil. id is its X-Request-Id.
func (c *Conn) Do(ctx context.Context, method, path string, body io.Reader, id string) Exchange {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return Exchange{Err: err}
	}
	req.Header.Set("X-Request-Id", id)
	resp, err := c.http.Do(req)
	if err != nil {
		return Exchange{Err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.ProtoMajor != c.p.Major {
		c.t.Errorf("%s: answered over %s", c.p.Name, resp.Proto)
	}
	return Exchange{resp.StatusCode, resp.Header, string(b), err}
}

// Go makes a request on a goroutine of its own.
func (c *Conn) Go(ctx context.Context, method, path, body, id string) <-chan Exchange {
	ended := make(chan Exchange, 1)
	go func() { ended <- c.Do(ctx, method, path, strings.NewReader(body), id) }()
	return ended
}

// Must is Do with a bound on how long it takes, and a failure if nothing comes back.
func (c *Conn) Must(method, path, body string) Exchange {
	c.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), Patience)
	defer stop()
	e := c.Do(ctx, method, path, strings.NewReader(body), "")
	if e.Err != nil {
		c.t.Fatalf("%s: %s %s: %v", c.p.Name, method, path, e.Err)
	}
	return e
}

// Calls reads /debug/calls over HTTP.
func (c *Conn) Calls() serve.Calls {
	c.t.Helper()
	var calls serve.Calls
	if err := json.Unmarshal([]byte(c.Must("GET", "/debug/calls", "").Body), &calls); err != nil {
		c.t.Fatal(err)
	}
	return calls
}

// Total is how many clients have left.
func Total(disconnects map[string]map[string]uint64) (n uint64) {
	for _, kinds := range disconnects {
		for _, c := range kinds {
			n += c
		}
	}
	return n
}
