package h3

import (
	"time"

	"github.com/quic-go/quic-go"
)

// handshakeIdle is what quic-go takes for a HandshakeIdleTimeout of zero.
const handshakeIdle = 5 * time.Second

// limitSilence makes c, which is ours to change, find a client that vanishes within
// t. Its idle timeout is at most half of t: quic-go's clock for it starts anew with
// the first packet that is sent after the last one that came. At the latest this
// is the keep-alive, after half of the idle timeout at most. A quarter of t is left.
//
// The handshake has an idle timeout of its own, and may last for two of them: a
// request of a 0-RTT client may come before it is complete.
func limitSilence(c *quic.Config, t time.Duration) {
	if t == 0 {
		return
	}
	c.MaxIdleTimeout = shorter(c.MaxIdleTimeout, defaultIdleTimeout, t/2)
	c.HandshakeIdleTimeout = shorter(c.HandshakeIdleTimeout, handshakeIdle, t/2)
}

// shorter returns own, or fallback for zero, but most at the most.
func shorter(own, fallback, most time.Duration) time.Duration {
	if own <= 0 {
		own = fallback
	}
	return min(own, most)
}
