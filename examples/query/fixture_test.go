package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

var (
	requestsFlag = flag.Int("hangup.requests", 300, "requests per protocol that complete; a tenth as many are hung up on")
	racesFlag    = flag.Int("hangup.races", 20_000, "cancels that race with the completion of a query")
)

func TestMain(m *testing.M) {
	if os.Getenv(asQuery) != "" {
		main()
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"), // parked until it has been idle for some seconds
	)
}

// everyProtocol has each way to reach the server.
var everyProtocol = []client.Protocol{client.HTTP1, client.HTTP1TLS, client.H2C, client.HTTP2, client.HTTP3}

// patience bounds every wait of the tests.
const patience = 10 * time.Second

// A fixture is a server on free ports that ends with its test.
type fixture struct {
	*instance
	events *demo.Events
}

// start starts a server with the flags in args.
func start(t *testing.T, args ...string) *fixture {
	t.Helper()
	o, err := parse(append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	events := demo.NewEvents()
	i, err := open(o, events.Trace(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	i.Start()
	f := &fixture{i, events}
	t.Cleanup(func() { f.end(t) })
	return f
}

// end drains the server, once.
func (f *fixture) end(t *testing.T) {
	t.Helper()
	if f.instance == nil {
		return
	}
	if err := f.drain(0); err != nil {
		t.Errorf("drain: %v", err)
	}
	f.instance = nil
}

// A conn is a client of one protocol.
type conn struct {
	t    *testing.T
	http *http.Client
	base string
	p    client.Protocol
}

func (f *fixture) dial(t *testing.T, p client.Protocol) *conn {
	c, stop := p.New(f.Trust(), 16)
	t.Cleanup(stop)
	return &conn{t, c, p.URL(f.Sockets), p}
}

// An exchange is what came back. err is the client's, if nothing did.
type exchange struct {
	status int
	header http.Header
	body   string
	err    error
}

// do makes a request; body may be nil. id is its X-Request-Id.
func (c *conn) do(ctx context.Context, method, path string, body io.Reader, id string) exchange {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return exchange{err: err}
	}
	req.Header.Set("X-Request-Id", id)
	resp, err := c.http.Do(req)
	if err != nil {
		return exchange{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.ProtoMajor != c.p.Major {
		c.t.Errorf("%s: answered over %s", c.p.Name, resp.Proto)
	}
	return exchange{resp.StatusCode, resp.Header, string(b), err}
}

// get is do with a bound on how long it takes, and a failure if nothing comes back.
func (c *conn) must(method, path, body string) exchange {
	c.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	e := c.do(ctx, method, path, strings.NewReader(body), "")
	if e.err != nil {
		c.t.Fatalf("%s: %s %s: %v", c.p.Name, method, path, e.err)
	}
	return e
}

// calls reads /debug/calls over HTTP.
func (c *conn) calls() serve.Calls {
	c.t.Helper()
	var calls serve.Calls
	if err := json.Unmarshal([]byte(c.must("GET", "/debug/calls", "").body), &calls); err != nil {
		c.t.Fatal(err)
	}
	return calls
}

// receive waits for ch, with a bound, and says what for if nothing comes.
func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// until waits for a condition that nobody announces, with a bound.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func total(disconnects map[string]map[string]uint64) (n uint64) {
	for _, kinds := range disconnects {
		for _, c := range kinds {
			n += c
		}
	}
	return n
}
