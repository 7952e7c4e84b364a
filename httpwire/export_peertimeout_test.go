package httpwire

import (
	"net"
	"time"
)

// Patience returns what a PeerTimeout is laid out as.
func Patience(t time.Duration) (keepAlive net.KeepAliveConfig, unacked, pingAfter, pingFor time.Duration) {
	p := patienceOf(t)
	return p.keepAlive, p.unacked, p.pingAfter, p.pingFor
}
