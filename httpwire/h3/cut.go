package h3

import (
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Cut resets the sending side of the request's stream: http3 would end it with a FIN
// whatever has become of the writes. H3_REQUEST_CANCELLED: RFC 9114, 4.1.1 and 8.1.
func (c *conn) Cut(id uint64) {
	if q := c.request(id); q != nil && q.stream != nil {
		q.stream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}
}
