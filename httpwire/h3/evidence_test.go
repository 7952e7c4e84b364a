package h3_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// H3: which errors of quic-go's are the client's leaving. The rows that a test on the
// wire has too are here for completeness; a stateless reset can't be provoked in one.
func TestLeftBy(t *testing.T) {
	for _, tt := range []struct {
		err    error
		kind   httpwire.Kind // 0: not the client
		code   uint64
		source httpwire.Source
	}{
		{&quic.StreamError{ErrorCode: 5, Remote: true}, httpwire.StreamReset, 5, httpwire.SourceFrame},
		{&quic.ApplicationError{ErrorCode: 0x100, Remote: true}, httpwire.Closed, 0x100, httpwire.SourceQUIC},
		{&quic.ApplicationError{ErrorCode: 0x10c, Remote: true}, httpwire.Reset, 0x10c, httpwire.SourceQUIC},
		{&quic.TransportError{ErrorCode: quic.NoError, Remote: true}, httpwire.Closed, 0, httpwire.SourceQUIC},
		{&quic.TransportError{ErrorCode: quic.ProtocolViolation, Remote: true}, httpwire.Reset, 0xa, httpwire.SourceQUIC},
		{&quic.StatelessResetError{}, httpwire.Reset, 0, httpwire.SourceQUIC},
		{&quic.IdleTimeoutError{}, httpwire.Timeout, 0, httpwire.SourceQUIC},
		{&quic.HandshakeTimeoutError{}, httpwire.Timeout, 0, httpwire.SourceQUIC},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("sendmsg", syscall.EHOSTUNREACH)}, httpwire.ConnectionLost, 0, httpwire.SourceQUIC},
		{fmt.Errorf("wrapped: %w", &quic.StreamError{ErrorCode: 5, Remote: true}), httpwire.StreamReset, 5, httpwire.SourceFrame},

		{nil, 0, 0, 0},
		{context.Canceled, 0, 0, 0},
		{context.DeadlineExceeded, 0, 0, 0},
		{os.ErrDeadlineExceeded, 0, 0, 0},
		{net.ErrClosed, 0, 0, 0},
		{io.EOF, 0, 0, 0},
		{&quic.StreamError{ErrorCode: 5}, 0, 0, 0},
		{&quic.ApplicationError{ErrorCode: 0x100}, 0, 0, 0},
		{&quic.TransportError{ErrorCode: quic.InternalError}, 0, 0, 0},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("sendmsg", syscall.EPERM)}, 0, 0, 0},
	} {
		e, left := h3.LeftBy(tt.err)
		if left != (tt.kind != 0) {
			t.Errorf("%T(%v): left = %v", tt.err, tt.err, left)
		}
		if left && (httpwire.Kind(e.Kind) != tt.kind || e.Code != tt.code || httpwire.Source(e.Source) != tt.source || e.Err == nil) {
			t.Errorf("%v: got %+v, want kind %v, code %#x", tt.err, e, tt.kind, tt.code)
		}
	}
}

// With a version of http3 whose stream can't be reached, STOP_SENDING is seen in the
// context, which the Source says; the connection's end as always, and what this end does is still
// no disconnect.
func TestFallback(t *testing.T) {
	conns := make(chan *quic.Conn, 4)
	s := serve(t, nil, func(srv *http3.Server) {
		srv.ConnContext = func(ctx context.Context, c *quic.Conn) context.Context {
			conns <- c
			return ctx
		}
	})
	c := dial(t, s, nil)
	newControl(s, c).untouched()
	defer h3.HideStreams()()
	recv(t, conns, "ConnContext")

	str := c.get("/")
	v := s.next()
	str.CancelRead(9)
	d := recv(t, v.fired, "the callback") // the context's cause is plain: it was done before
	if d.Kind != httpwire.StreamReset || d.HasCode || d.Source != httpwire.SourceContext {
		t.Errorf("got %v from %v", d, d.Source)
	}
	v.finish()
	v.untouched()

	c.get("/")
	v = s.next()
	_ = c.quic.CloseWithError(0x100, "")
	// Here too the request's context may be done before the connection's.
	want(t, recv(t, v.fired, "the callback"), httpwire.Closed, 0x100)
	v.finish()
	v.untouched()

	dial(t, s, nil).get("/")
	v = s.next()
	go s.Close() //nolint:errcheck
	v.cancelledOtherwise()
	recv(t, recv(t, conns, "ConnContext").Context().Done(), "the connection's end")
	time.Sleep(3 * h3.Settle) // nothing is to happen meanwhile
	v.finish()
	v.untouched()
}
