// Package server serves one handler over every protocol, on loopback, with hangup or as net/http and
// quic-go have it.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/quic-go/quic-go/http3"

	"github.com/hangup-go/hangup/bench/internal/engine"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
)

// A Server is one that serves, until Close.
type Server struct {
	clear, tls, quic string // addresses
	tcp              *http.Server
	http3            *http3.Server
	udp              net.PacketConn
	quicNumber       uint32 // of observed sockets; 0: not observed
	serving          sync.WaitGroup
}

// A Config says what server.
type Config struct {
	Configured bool // by httpwire and h3, on wrapped listeners
	Observed   bool // the kernel's events are noted: see [Event]
	Handler    http.Handler
	Around     func(http.Handler) http.Handler // around all that Configure puts there; nil: nothing
}

// New starts a server.
func New(conf Config) (*Server, error) {
	cert, err := Certificate()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	protos := new(http.Protocols)
	protos.SetHTTP1(true)
	protos.SetHTTP2(true)
	protos.SetUnencryptedHTTP2(true)
	s := new(Server)
	quiet := log.New(io.Discard, "", 0) // clients that leave in a handshake's middle are the point of it
	s.tcp = &http.Server{Handler: conf.Handler, TLSConfig: config, Protocols: protos, ErrorLog: quiet}
	if conf.Observed {
		s.tcp.ConnContext = connContext
	}
	s.http3 = &http3.Server{Handler: conf.Handler, TLSConfig: http3.ConfigureTLSConfig(config.Clone())}
	wrap := func(l net.Listener) net.Listener { return l }
	if conf.Configured {
		if err := errors.Join(httpwire.Configure(s.tcp, nil), h3.Configure(s.http3, nil)); err != nil {
			return nil, err
		}
		wrap = httpwire.Listener
	}
	if conf.Around != nil {
		s.tcp.Handler, s.http3.Handler = conf.Around(s.tcp.Handler), conf.Around(s.http3.Handler)
	}
	if err := s.listen(wrap); err != nil {
		return nil, err
	}
	if conf.Observed {
		s.quicNumber = numbers.Add(1)
		return s, engine.Observe(s.udp.(syscall.Conn), s.quicNumber)
	}
	return s, nil
}

func (s *Server) listen(wrap func(net.Listener) net.Listener) error {
	clear, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if s.udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		return err
	}
	s.clear, s.tls, s.quic = clear.Addr().String(), secure.Addr().String(), s.udp.LocalAddr().String()
	s.serving.Go(func() { _ = s.tcp.Serve(wrap(clear)) })
	s.serving.Go(func() { _ = s.tcp.ServeTLS(wrap(secure), "", "") })
	s.serving.Go(func() { _ = s.http3.Serve(s.udp) })
	return nil
}

// Close ends the server and everything under it. It does not wait for handlers of HTTP/1.1 and HTTP/2.
func (s *Server) Close() error {
	err := errors.Join(s.tcp.Close(), s.http3.Close(), s.udp.Close())
	s.serving.Wait()
	return err
}

// Addr is where the server speaks p.
func (s *Server) Addr(p protocol.Protocol) string {
	switch p {
	case protocol.HTTP1, protocol.H2C:
		return s.clear
	case protocol.HTTP3:
		return s.quic
	}
	return s.tls
}

// numbers are those of observed sockets.
var numbers atomic.Uint32

type numberKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	for {
		if sc, ok := c.(syscall.Conn); ok {
			n := numbers.Add(1)
			if engine.Observe(sc, n) != nil {
				return ctx // closed already
			}
			return context.WithValue(ctx, numberKey{}, n)
		}
		below, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return ctx
		}
		c = below.NetConn()
	}
}

// An Event is where to look for what the kernel told of a request's connection.
type Event struct{ number uint32 }

// EventOf returns the Event of a request's, under the context that the server gave it.
func (s *Server) EventOf(r *http.Request) Event {
	if n, ok := r.Context().Value(numberKey{}).(uint32); ok {
		return Event{n}
	}
	if r.ProtoMajor == 3 {
		return Event{s.quicNumber}
	}
	return Event{}
}

// After returns when the kernel first told of something at or after since, 0 if nobody observed it.
func (e Event) After(since int64) int64 {
	if e.number == 0 {
		return 0
	}
	return engine.FirstEvent(e.number, since)
}
