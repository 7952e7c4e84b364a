package h3

import (
	"time"

	"github.com/quic-go/quic-go"
)

// defaultIdleTimeout is what quic-go takes for a MaxIdleTimeout of zero.
const defaultIdleTimeout = 30 * time.Second

// keepAlive returns a copy of c that has a KeepAlivePeriod, and finds a client that
// vanishes within peer, if that is not 0. It does not change c, which several
// servers may share.
func keepAlive(c *quic.Config, peer time.Duration) *quic.Config {
	if c == nil {
		c = &quic.Config{Allow0RTT: true} // what http3 takes for nil
	} else {
		c = c.Clone()
	}
	limitSilence(c, peer)
	if c.KeepAlivePeriod == 0 {
		c.KeepAlivePeriod = keepAlivePeriod(c.MaxIdleTimeout)
	}
	if own := c.GetConfigForClient; own != nil {
		c.GetConfigForClient = func(info *quic.ClientInfo) (*quic.Config, error) {
			c, err := own(info)
			if c == nil || err != nil {
				return c, err
			}
			return keepAlive(c, peer), nil
		}
	}
	return c
}

// keepAlivePeriod is a third of the idle timeout: below its half, with room for
// one round trip that is lost. quic-go lowers it further if the client's own
// idle timeout is the shorter one.
func keepAlivePeriod(idle time.Duration) time.Duration {
	if idle <= 0 {
		idle = defaultIdleTimeout
	}
	return idle / 3
}
