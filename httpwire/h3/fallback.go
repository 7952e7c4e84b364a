package h3

import (
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// settle is how long the connection's own context may lag behind its streams'
// (35 µs measured, idle).
const settle = 20 * time.Millisecond

// fallback is for a version of http3 whose stream streamOf can't reach. The
// request's context is done, the connection is not, or not yet: its context
// follows its streams'. If it still lasts after a while, and the program did not
// cancel the connection's base context, then the stream alone ended, and so did the
// wait of its client: STOP_SENDING, code unknown. The Source says that this was read
// from the context. The context's cause is plain by then, and RESET_STREAM
// alone is missed.
func (q *request) fallback() (stop func() bool) {
	return time.AfterFunc(settle, func() {
		if q.tellIfLeft() || q.conn.quic.Context().Err() != nil || q.conn.base.Err() != nil {
			return
		}
		q.sink.Gone(wire.Event{Kind: wire.StreamReset, Source: wire.Context})
	}).Stop
}
