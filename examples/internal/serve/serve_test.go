package serve_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/examples/internal/spin"
	"github.com/hangup-go/hangup/internal/leaktest"
	"github.com/hangup-go/hangup/native"
)

func TestMain(m *testing.M) {
	leaktest.Main(m, goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}

const patience = 10 * time.Second

var everyProtocol = []client.Protocol{client.HTTP1, client.HTTP1TLS, client.H2C, client.HTTP2, client.HTTP3}

func options(t *testing.T, args ...string) *serve.Options {
	t.Helper()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	o := serve.Flags(fs)
	if err := fs.Parse(append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	return o
}

// start serves h. The test drains it.
func start(t *testing.T, h http.Handler) *serve.Server {
	t.Helper()
	sockets, err := serve.Listen(options(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := serve.New(sockets, serve.Config{Handler: h, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	return s
}

func drain(t *testing.T, s *serve.Server, patience time.Duration) {
	t.Helper()
	if err := s.Drain(patience); err != nil {
		t.Errorf("drain: %v", err)
	}
}

func get(t *testing.T, s *serve.Server, p client.Protocol, path string) (status int, body string, err error) {
	c, stop := p.New(s.Trust(), 1)
	defer stop()
	ctx, stopCtx := context.WithTimeout(t.Context(), patience)
	defer stopCtx()
	req, err := http.NewRequestWithContext(ctx, "GET", p.URL(s.Sockets)+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// A panic is a 500, wherever it comes from, and the server lives; once the header
// is out, the answer is cut off instead.
func TestServer_panic(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/handler", func(http.ResponseWriter, *http.Request) { panic("in the handler") })
	mux.HandleFunc("/native", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = native.Do(r.Context(), func(*native.Call) (int, error) { panic("in the call") })
	})
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of ")
		_ = http.NewResponseController(w).Flush()
		panic("too late")
	})
	s := start(t, mux)
	defer drain(t, s, 0)
	for _, p := range everyProtocol {
		for _, path := range []string{"/handler", "/native"} {
			if status, body, err := get(t, s, p, path); err != nil || status != 500 || body != `{"error":"internal error"}`+"\n" {
				t.Errorf("%s %s: %d %s %v", p.Name, path, status, body, err)
			}
		}
		if status, body, err := get(t, s, p, "/late"); err == nil {
			t.Errorf("%s: after the header: %d %s, and no error", p.Name, status, body)
		}
		if status, _, err := get(t, s, p, "/healthz"); status != 200 {
			t.Errorf("%s: afterwards: %d %v", p.Name, status, err)
		}
	}
	if n := s.Calls(); n.CallbacksFired != 0 || len(n.Disconnects) != 0 || s.Inside() != 0 {
		t.Errorf("nobody left: %+v", n)
	}
}

// A request that ends within the patience is answered; nobody else gets in.
func TestServer_drainWaits(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		serve.JSON(w, 200, fmt.Sprint("cause ", context.Cause(r.Context())))
	}))
	answered := make(chan string, 1)
	go func() {
		status, body, err := get(t, s, client.HTTP1, "/")
		answered <- fmt.Sprintf("%d%s%v", status, strings.TrimSpace(body), err)
	}()
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.Drain(patience) }()
	for deadline := time.Now().Add(patience); ; {
		if _, _, err := get(t, s, client.HTTP1, "/healthz"); err != nil {
			break // refused
		} else if time.Now().After(deadline) {
			t.Fatal("requests are let in while the server drains")
		}
	}
	close(leave)
	if got := <-answered; got != `200"cause \u003cnil\u003e"<nil>` {
		t.Errorf("the request that was inside got %s", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A request that does not end within the patience is cancelled, over every
// protocol, for a reason that is not a disconnect, and its client gets a 503.
func TestServer_drainCancels(t *testing.T) {
	for _, p := range everyProtocol {
		t.Run(p.Name, func(t *testing.T) {
			entered := make(chan struct{})
			s := start(t, spin.Handler(serve.Trace{Entered: func(string) { close(entered) }}))
			answered := make(chan string, 1)
			go func() {
				status, body, err := get(t, s, p, "/spin?ms=600000")
				answered <- fmt.Sprint(status, " ", body, err)
			}()
			<-entered
			drain(t, s, 10*time.Millisecond)
			if got := <-answered; !strings.HasPrefix(got, "503 ") || !strings.Contains(got, serve.ErrDraining.Error()) {
				t.Errorf("the client got %s", got)
			}
			if n := s.Calls(); n.CallbacksFired != 0 || len(n.Disconnects) != 0 {
				t.Errorf("draining counted as a disconnect: %+v", n)
			}
		})
	}
}
