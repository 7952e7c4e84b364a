package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/hangup-go/hangup/native"
)

// Config says what is served. Only Handler is needed.
type Config struct {
	Handler http.Handler
	Stats   func() native.Stats                  // of the native calls, for /debug/calls; default: native.ReadStats
	Queued  func() int64                         // calls that wait for their turn elsewhere
	Error   func(status int, message string) any // what an error is sent as; default: {"error": message}
	Trace   Trace
	Log     *slog.Logger // default: slog's own
}

// A Server serves one handler over HTTP/1.1, HTTP/2 and HTTP/3.
type Server struct {
	*Sockets
	config  Config
	http    *http.Server
	h3      *http3.Server
	base    context.Context // parent of every request's context
	cancel  context.CancelCauseFunc
	gate    *gate
	gone    disconnects
	serving sync.WaitGroup
	failed  chan error
}

// New puts the servers together on sockets; Drain will close them.
func New(sockets *Sockets, config Config) (*Server, error) {
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Stats == nil {
		config.Stats = native.ReadStats
	}
	if config.Error == nil {
		config.Error = plainError
	}
	s := &Server{Sockets: sockets, config: config, gate: newGate(), failed: make(chan error, 3)}
	s.base, s.cancel = context.WithCancelCause(context.Background())
	handler := s.watch(s.catchPanics(s.routes()))
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	tlsConfig := &tls.Config{Certificates: []tls.Certificate{sockets.cert}, MinVersion: tls.VersionTLS12}
	s.http = &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		TLSConfig:         tlsConfig,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(config.Log.Handler(), slog.LevelDebug),
	}
	s.h3 = &http3.Server{
		Handler:     handler,
		TLSConfig:   http3.ConfigureTLSConfig(tlsConfig.Clone()),
		ConnContext: s.followBase,
		Logger:      config.Log,
	}
	// After what it wraps, and before what is to be outside.
	err := errors.Join(httpwire.Configure(s.http, nil), h3.Configure(s.h3, nil))
	s.http.Handler, s.h3.Handler = s.admit(s.http.Handler), s.admit(s.h3.Handler)
	return s, err
}

// followBase is http.Server's BaseContext for HTTP/3, which has none: it joins
// the connection's context and the server's.
func (s *Server) followBase(ctx context.Context, _ *quic.Conn) context.Context {
	ctx, stop := context.WithCancelCause(ctx)
	unfollow := context.AfterFunc(s.base, func() { stop(context.Cause(s.base)) })
	context.AfterFunc(ctx, func() { unfollow() }) // the connection ended first
	return ctx
}

// Start begins to serve and returns at once.
func (s *Server) Start() {
	for _, serve := range []func() error{
		func() error { return s.http.Serve(httpwire.Listener(s.Plain)) },
		func() error { return s.http.ServeTLS(httpwire.Listener(s.Secure), "", "") },
		func() error { return s.h3.Serve(s.QUIC) },
	} {
		s.serving.Go(func() {
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- err
			}
		})
	}
}

// Failed delivers the error of a listener that broke while it was served.
func (s *Server) Failed() <-chan error { return s.failed }

// Inside is the number of requests being handled.
func (s *Server) Inside() int { return s.gate.count() }
