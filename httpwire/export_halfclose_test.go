package httpwire

import (
	"context"
	"io"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// InputEnded reports whether the connection of ctx's request knows that its
// client has ended its sending, and spares it.
func InputEnded(ctx context.Context) bool {
	t := ctx.Value(wire.Key).(*watch).conn.(*tcp)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end.level != 0
}

// Outlives reports whether ctx ignores the end of its parent.
func Outlives(ctx context.Context) bool {
	return ctx.Value(wire.Key).(*watch).half.ignoring.Load()
}

// JudgeHTTP2 is what an HTTP/2 connection says whose TCP connection alone has read
// the end of the input, under policy p.
func JudgeHTTP2(p HalfClosePolicy) (Kind, bool) {
	t := &tcp{halfClose: p}
	t.note(io.EOF, wire.ReadErr)
	ev, ok := (&http2Conn{tcp: t}).Judge(1, nil, context.Canceled)
	return Kind(ev.Kind), ok
}
