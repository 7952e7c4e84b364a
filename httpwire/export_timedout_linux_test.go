package httpwire

import (
	"time"

	"golang.org/x/sys/unix"
)

// GaveUp says whether the kernel gave the peer up, as gaveUp does. user is the
// TCP_USER_TIMEOUT; the keepalive asks after 15 s, 9 times, every 15 s.
func GaveUp(i unix.TCPInfo, user time.Duration) bool {
	return waiting(&i) && gaveUp(&i, limits{user: user, idle: 15 * time.Second, interval: 15 * time.Second, count: 9})
}
