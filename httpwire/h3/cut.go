package h3

import (
	"errors"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Cut resets the sending side of the request's stream: http3 would end it with a FIN
// whatever has become of the writes. H3_REQUEST_CANCELLED: RFC 9114, 4.1.1 and 8.1.
// Where a STOP_SENDING or the connection's end was first, the reset is not sent.
func (c *conn) Cut(id uint64) (ours bool) {
	q := c.request(id)
	if q == nil || q.stream == nil {
		return false
	}
	q.stream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	e, ok := errors.AsType[*quic.StreamError](cause(q.stream.Context()))
	return ok && !e.Remote
}
