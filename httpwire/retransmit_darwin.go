package httpwire

import (
	"time"

	"golang.org/x/sys/unix"
)

// limitRetransmission sets TCP_RXT_CONNDROPTIME: the seconds for which sent data
// may stay without an answer.
func limitRetransmission(fd uintptr, p patience) {
	s := max(1, p.unacked/time.Second)
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RXT_CONNDROPTIME, int(min(s, 1<<31-1)))
}
