package httpwire

import "golang.org/x/sys/unix"

// limitRetransmission sets TCP_USER_TIMEOUT (tcp(7)): sent data that stays without
// an answer ends the connection, and so does a receive window that stays closed.
// Where there is one, it also counts instead of the keepalive's number of probes.
func limitRetransmission(fd uintptr, p patience) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(min(p.unacked.Milliseconds(), 1<<31-1)))
}
