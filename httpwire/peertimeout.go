package httpwire

import (
	"net"
	"net/http"
	"time"
)

// patience is a PeerTimeout T, laid out so that what adds up stays within it.
//
// TCP has two clocks. The keepalive's runs while nothing is outstanding; data that
// is sent stops it and starts the other one, of retransmission, even if a moment
// later the keepalive would have given up. So the worst case is their sum, and
// the second begins at the first retransmission, later by a round trip and 200 to
// 400 ms. Half of T is the keepalive's, a third the other's, a sixth is for that.
// The keepalive counts in whole seconds and needs one to wait and one to ask:
// hence the 4 s at least.
//
// HTTP/2's ping goes out after half of T of silence, and is waited for as long as
// TCP's data is.
type patience struct {
	keepAlive net.KeepAliveConfig
	unacked   time.Duration // how long sent data may stay without an answer
	pingAfter time.Duration // HTTP/2
	pingFor   time.Duration
}

func patienceOf(t time.Duration) patience {
	return patience{
		keepAlive: keepAliveWithin(t / 2),
		unacked:   t / 3,
		pingAfter: t / 2,
		pingFor:   t / 3,
	}
}

// The most that systems take for the keepalive's numbers.
const (
	maxKeepAlive  = 32767 * time.Second
	mostKeepAlive = 127
)

// keepAliveWithin finds silence within t: the first half is waited, and then asked
// three times, or as often as there are seconds. Idle and Count times Interval make
// at most t.
func keepAliveWithin(t time.Duration) net.KeepAliveConfig {
	t = min(t.Truncate(time.Second), 2*maxKeepAlive)
	idle := max(time.Second, (t / 2).Truncate(time.Second))
	interval := max(time.Second, ((t - idle) / 3).Truncate(time.Second))
	return net.KeepAliveConfig{
		Enable: true, Idle: idle, Interval: interval,
		Count: min(mostKeepAlive, int((t-idle)/interval)),
	}
}

// limitSilence makes the system give c's peer up in time. Connections that are not
// TCP, and systems that refuse, stay as they are: a connection that works is
// better than none.
func limitSilence(c net.Conn, t time.Duration) {
	if t == 0 {
		return
	}
	c = lowest(c)
	p := patienceOf(t)
	if k, ok := c.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		_ = k.SetKeepAliveConfig(p.keepAlive)
	}
	if raw := rawConn(c); raw != nil {
		_ = raw.Control(func(fd uintptr) { limitRetransmission(fd, p) })
	}
}

// sendPings makes srv's HTTP/2 ask a silent client whether it is there. What the
// user has set stays; the configuration is copied, as servers may share it.
func sendPings(srv *http.Server, t time.Duration) {
	if t == 0 {
		return
	}
	var c http.HTTP2Config
	if srv.HTTP2 != nil {
		c = *srv.HTTP2
	}
	p := patienceOf(t)
	if c.SendPingTimeout == 0 {
		c.SendPingTimeout = p.pingAfter
	}
	if c.PingTimeout == 0 {
		c.PingTimeout = p.pingFor
	}
	srv.HTTP2 = &c
}
