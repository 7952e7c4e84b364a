package frameworks_test

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
)

type empty = emptypb.Empty

const (
	unaryProcedure  = "/work.Worker/Unary"
	streamProcedure = "/work.Worker/Stream"
)

// interceptors derive the context, as tracing and authentication do.
type interceptor struct{}

func (interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		return next(ctx, r)
	}
}

func (interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		return next(ctx, c)
	}
}

func connectUnary(serve func(call), _ time.Duration) http.Handler {
	return withRequest(connect.NewUnaryHandler(unaryProcedure,
		func(ctx context.Context, _ *connect.Request[empty]) (*connect.Response[empty], error) {
			serve(call{ctx: ctx, r: requestOf(ctx)})
			return connect.NewResponse(&empty{}), ctx.Err()
		}, connect.WithInterceptors(interceptor{})))
}

func connectStream(serve func(call), _ time.Duration) http.Handler {
	return withRequest(connect.NewServerStreamHandler(streamProcedure,
		func(ctx context.Context, _ *connect.Request[empty], s *connect.ServerStream[empty]) error {
			if err := s.Send(&empty{}); err != nil {
				return err
			}
			serve(call{ctx: ctx, r: requestOf(ctx)})
			return ctx.Err()
		}, connect.WithInterceptors(interceptor{})))
}

func connectCallUnary(ctx context.Context, c *http.Client, url string) error {
	_, err := connect.NewClient[empty, empty](c, url+unaryProcedure).CallUnary(ctx, connect.NewRequest(&empty{}))
	return err
}

func connectCallStream(ctx context.Context, c *http.Client, url string) error {
	s, err := connect.NewClient[empty, empty](c, url+streamProcedure).CallServerStream(ctx, connect.NewRequest(&empty{}))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	for s.Receive() {
	}
	return s.Err()
}
