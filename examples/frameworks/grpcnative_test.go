//go:build cgo

package frameworks_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A grpcCall is one way to call the server, until it answers or ctx is done.
type grpcCall struct {
	name string
	do   func(ctx context.Context, c *grpc.ClientConn) error
}

var grpcCalls = []grpcCall{
	{"unary", func(ctx context.Context, c *grpc.ClientConn) error {
		return c.Invoke(ctx, unaryProcedure, new(empty), new(empty))
	}},
	{"stream", func(ctx context.Context, c *grpc.ClientConn) error {
		s, err := c.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, streamProcedure)
		if err == nil {
			err = errors.Join(s.SendMsg(new(empty)), s.CloseSend())
		}
		for err == nil {
			err = s.RecvMsg(new(empty))
		}
		if err == io.EOF {
			return nil
		}
		return err
	}},
}

// grpcServers are gRPC's own server, and gRPC as a handler of a configured
// http.Server. They return an address.
var grpcServers = map[string]func(t *testing.T, serve func(context.Context)) string{
	"own": func(t *testing.T, serve func(context.Context)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		s, served := grpcServer(serve), make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		t.Cleanup(func() {
			s.Stop()
			receive(t, served, "Serve to return")
		})
		return l.Addr().String()
	},
	"ServeHTTP": func(t *testing.T, serve func(context.Context)) string {
		s := ways[3].start(t, withRequest(grpcServer(serve)), true) // h2c
		return strings.TrimPrefix(s.url, "http://")
	},
}

func eachGRPC(t *testing.T, serve func(context.Context), f func(t *testing.T, over string, k grpcCall, c *grpc.ClientConn)) {
	for over, start := range grpcServers {
		for _, k := range grpcCalls {
			t.Run(over+"/"+k.name, func(t *testing.T) {
				c, err := grpc.NewClient(start(t, serve), grpc.WithTransportCredentials(insecure.NewCredentials()))
				must(t, err)
				t.Cleanup(func() { _ = c.Close() })
				f(t, over, k, c)
			})
		}
	}
}

// A gRPC handler uses native.Do as it is: a client of grpc-go that cancels its RPC
// stops the native call.
func TestGRPC_clientCancels(t *testing.T) {
	spin := newSpin()
	requestCause := make(chan error, 1)
	eachGRPC(t, func(ctx context.Context) {
		spin.run(ctx)
		if r := requestOf(ctx); r != nil {
			requestCause <- context.Cause(r.Context())
		}
	}, func(t *testing.T, over string, k grpcCall, c *grpc.ClientConn) {
		ctx, leave := context.WithCancel(context.Background())
		defer leave()
		answer := make(chan error, 1)
		go func() { answer <- k.do(ctx, c) }()
		receive(t, spin.inside, "the native call")
		leave()
		err := receive(t, spin.result, "native.Do")
		if !errors.Is(err, nativetest.ErrStopped) || !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want canceled, and C stopped", err)
		}
		if err := receive(t, answer, "the client"); status.Code(err) != codes.Canceled {
			t.Errorf("the client got %v", err)
		}
		if over == "own" {
			return
		}
		var d *httpwire.Disconnect
		if !errors.As(receive(t, requestCause, "the request's cause"), &d) {
			t.Fatal("the request's context does not say that the client left")
		}
		wantLeft(t, d, httpwire.HTTP2, false)
	})
}

// An RPC that is not cancelled gets its answer.
func TestGRPC_completion(t *testing.T) {
	eachGRPC(t, func(ctx context.Context) {
		if err := ctx.Err(); err != nil {
			t.Error(err)
		}
	}, func(t *testing.T, _ string, k grpcCall, c *grpc.ClientConn) {
		ctx, stop := context.WithTimeout(context.Background(), bound)
		defer stop()
		for range 20 {
			must(t, k.do(ctx, c))
		}
	})
}
