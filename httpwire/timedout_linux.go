package httpwire

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// brokenEvidence says how a connection ended that is closed both ways, though not
// by us: by the peer's RST, or because the kernel gave the peer up.
//
// The connection's error says it, but is for whoever reads or writes next, once.
// What TCP had been doing says it too. A connection on which all is answered can
// only have been reset, and so it is told at once. Otherwise an RST is an answer: it comes a
// round trip after what it answers. The kernel gives up when its patience is at an
// end, and no sooner.
//
// On a connection whose listener is not ours, net/http may have met the error in a
// Write, and closed: then only that it broke is known.
func brokenEvidence(raw syscall.RawConn, source uint8) wire.Event {
	ev := wire.Event{Kind: wire.Reset, Err: unix.ECONNRESET, Source: source}
	closed := raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && waiting(info) && gaveUp(info, limitsOf(int(fd))) {
			ev.Kind, ev.Err = wire.Timeout, unix.ETIMEDOUT
		}
	})
	if closed != nil {
		ev.Kind, ev.Err = wire.ConnectionLost, nil
	}
	return ev
}

// waiting reports whether TCP had been waiting for an answer for longer than usual.
func waiting(i *unix.TCPInfo) bool {
	return i.Probes > 0 || i.Retransmits > 0 || i.Snd_wnd == 0
}

// limits are what the kernel's patience with a socket's peer is made of.
type limits struct {
	user           time.Duration // TCP_USER_TIMEOUT, 0 if none
	idle, interval time.Duration // of the keepalive
	count          int
}

func limitsOf(fd int) limits {
	get := func(opt int) int {
		v, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, opt)
		if err != nil {
			return 0
		}
		return v
	}
	return limits{
		user:     time.Duration(get(unix.TCP_USER_TIMEOUT)) * time.Millisecond,
		idle:     time.Duration(get(unix.TCP_KEEPIDLE)) * time.Second,
		interval: time.Duration(get(unix.TCP_KEEPINTVL)) * time.Second,
		count:    get(unix.TCP_KEEPCNT),
	}
}

// tick is more than the kernel rounds a time by.
const tick = 10 * time.Millisecond

// gaveUp follows the kernel's timers (net/ipv4/tcp_timer.c). It can take one for the
// other when a reset comes in the last moment of the kernel's patience, or is
// looked at late. Times are from now: they have grown since the end.
func gaveUp(i *unix.TCPInfo, l limits) bool {
	silence := millis(min(i.Last_ack_recv, i.Last_data_recv)) + tick
	sent := millis(i.Last_data_sent)
	switch {
	case i.Retransmits > 0: // tcp_retransmit_timer
		// It gives up where it would have sent once more: an RTO after the last
		// time; or when the user timeout is over, which began with the first time. The shortest round
		// trip, as on a machine without a free processor the others measure that.
		return sent+tick >= micros(i.Rto) ||
			l.user > 0 && retransmitting(i)+tick >= l.user && sent > micros(i.Min_rtt)+tick
	case i.Snd_wnd == 0 && l.user > 0 && i.Notsent_bytes > 0: // tcp_probe_timer
		// The window is closed, answers may be coming; nothing but probes was sent.
		return sent+tick >= l.user
	case i.Probes == 0:
		return false
	case l.user > 0: // tcp_keepalive_timer
		return silence >= max(l.user, l.idle+l.interval)
	default:
		return silence >= l.idle+time.Duration(l.count)*l.interval
	}
}

// retransmitting is the time since the first retransmission. New kernels count it,
// for all recoveries together. For others and for later ones it is at most what
// follows from the RTO, which doubles with each: timers of the kernel are late by
// up to an eighth.
func retransmitting(i *unix.TCPInfo) time.Duration {
	if i.Total_rto_recoveries == 1 {
		return millis(i.Total_rto_time)
	}
	rto := micros(i.Rto)
	first := rto - rto>>min(i.Retransmits-1, 62)
	return first + first/8 + millis(i.Last_data_sent)
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
func micros(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
