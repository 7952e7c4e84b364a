package frameworks_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// A call is what a framework gives its handler.
type call struct {
	ctx context.Context     // the one that a user of the framework passes to native.Do
	r   *http.Request       // for OnDisconnect
	w   http.ResponseWriter // nil where the framework hides it
}

// ok answers, if the framework leaves that to the handler.
func (c call) ok() {
	if c.w != nil {
		c.w.Header().Set("Content-Type", "text/plain") // so that it is compressed
		_, _ = io.WriteString(c.w, "ok\n")
	}
}

// A stack is a framework with the middleware that people put on it.
type stack struct {
	name string
	// handler builds the stack around serve, which handles /work; its middleware
	// ends a request after limit.
	handler func(serve func(call), limit time.Duration) http.Handler

	do      func(ctx context.Context, c *http.Client, url string) error // nil: get
	only    httpwire.Protocol                                           // 0: all
	limit   []string                                                    // header by which the client sets the limit
	noLimit bool                                                        // it has none
	// The framework cancels its context itself when the request's is done. That is a
	// race with the standard library, which closes a context's Done before it
	// cancels its children: the cause may then be plain context.Canceled.
	races   bool
	noFlush bool // its writer can't flush
}

var stacks = []stack{
	{name: "net/http", handler: netHTTP, noLimit: true},
	{name: "TimeoutHandler", handler: timeoutHandler, noFlush: true},
	{name: "chi", handler: chiStack},
	{name: "gin", handler: ginStack},
	{name: "echo4", handler: echo4Stack},
	{name: "echo5", handler: echo5Stack},
	{name: "gorilla", handler: gorillaStack, noLimit: true},
	{name: "connect-unary", handler: connectUnary, do: connectCallUnary, limit: []string{"Connect-Timeout-Ms", "30"}},
	{name: "connect-stream", handler: connectStream, do: connectCallStream, limit: []string{"Connect-Timeout-Ms", "30"}},
	{name: "grpc-ServeHTTP", handler: grpcOverHTTP, do: grpcPost, only: httpwire.HTTP2, limit: []string{"Grpc-Timeout", "30m"}, races: true},
}

// rpc reports whether the stack's handlers have no ResponseWriter.
func (k stack) rpc() bool { return k.only != 0 || strings.HasPrefix(k.name, "connect") }

// each runs f for each stack and each way to serve it.
func each(t *testing.T, f func(t *testing.T, k stack, v way)) {
	for _, k := range stacks {
		if k.do == nil {
			k.do = get
		}
		for _, v := range ways {
			if k.only == 0 || k.only == v.proto {
				t.Run(k.name+"/"+v.name, func(t *testing.T) { f(t, k, v) })
			}
		}
	}
}

type requestKey struct{}

// withRequest keeps the request in its context, for libraries that show their
// handlers nothing but a context.
func withRequest(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r)))
	})
}

func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}
