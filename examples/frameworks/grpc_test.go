package frameworks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc"
)

// grpcServer is a gRPC server without generated code: a unary method and one that
// streams to its client.
func grpcServer(serve func(context.Context)) *grpc.Server {
	unary := func(_ any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		in := new(empty)
		if err := decode(in); err != nil {
			return nil, err
		}
		return chain(ctx, in, &grpc.UnaryServerInfo{FullMethod: unaryProcedure}, func(ctx context.Context, _ any) (any, error) {
			serve(ctx)
			return new(empty), ctx.Err()
		})
	}
	stream := func(_ any, s grpc.ServerStream) error {
		if err := errors.Join(s.RecvMsg(new(empty)), s.SendMsg(new(empty))); err != nil {
			return err
		}
		serve(s.Context())
		return s.Context().Err()
	}
	srv := grpc.NewServer(grpc.UnaryInterceptor(derive))
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "work.Worker",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
		Streams:     []grpc.StreamDesc{{StreamName: "Stream", Handler: stream, ServerStreams: true}},
	}, nil)
	return srv
}

// derive is an interceptor that derives the context.
func derive(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return next(ctx, in)
}

// grpcOverHTTP is gRPC as a handler of net/http's HTTP/2.
func grpcOverHTTP(serve func(call), _ time.Duration) http.Handler {
	return withRequest(grpcServer(func(ctx context.Context) { serve(call{ctx: ctx, r: requestOf(ctx)}) }))
}

// grpcPost is a unary call as it is on the wire. The client of grpc-go does not
// take an http.Client.
func grpcPost(ctx context.Context, c *http.Client, url string) error {
	message := bytes.NewReader(make([]byte, 5)) // not compressed, of length 0
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+unaryProcedure, message)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	err = errors.Join(err, resp.Body.Close())
	if code := resp.Trailer.Get("Grpc-Status"); err == nil && code != "0" {
		err = fmt.Errorf("status %q: %s", code, resp.Trailer.Get("Grpc-Message"))
	}
	return err
}
