package httpwire_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// peerTimeout is the PeerTimeout of the servers in these tests: the least.
const peerTimeout = 4 * time.Second

// Bad input: a PeerTimeout that can't be kept is refused by name, and the server is
// left alone.
func TestPeerTimeout_bad(t *testing.T) {
	for _, d := range []time.Duration{-1, 1, time.Second, 4*time.Second - 1} {
		srv := &http.Server{Handler: http.NotFoundHandler()}
		err := httpwire.Configure(srv, &httpwire.Options{PeerTimeout: d})
		if err == nil || !strings.Contains(err.Error(), "PeerTimeout") || !strings.Contains(err.Error(), "4s") {
			t.Errorf("%v: %v", d, err)
		}
		if srv.HTTP2 != nil || srv.ConnContext != nil || srv.TLSNextProto != nil {
			t.Errorf("%v: the server was changed", d)
		}
	}
}

// PeerTimeout sets pings in a copy of the server's HTTP2Config. What the program has
// set stays.
func TestPeerTimeout_pings(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		peer         time.Duration
		conf         *http.HTTP2Config
		after, until time.Duration
	}{
		{0, &http.HTTP2Config{}, 0, 0},
		{6 * s, nil, 3 * s, 2 * s},
		{6 * s, &http.HTTP2Config{MaxConcurrentStreams: 7}, 3 * s, 2 * s},
		{6 * s, &http.HTTP2Config{SendPingTimeout: s}, s, 2 * s},
		{6 * s, &http.HTTP2Config{PingTimeout: 9 * s}, 3 * s, 9 * s},
	} {
		var before http.HTTP2Config
		if tt.conf != nil {
			before = *tt.conf
		}
		srv := &http.Server{HTTP2: tt.conf}
		must(t, httpwire.Configure(srv, &httpwire.Options{PeerTimeout: tt.peer}))
		if got := srv.HTTP2; got.SendPingTimeout != tt.after || got.PingTimeout != tt.until || got.MaxConcurrentStreams != before.MaxConcurrentStreams {
			t.Errorf("%v, %+v: %+v", tt.peer, before, *got)
		}
		if tt.conf != nil && (tt.conf.SendPingTimeout != before.SendPingTimeout || tt.conf.PingTimeout != before.PingTimeout) {
			t.Error("the program's own HTTP2Config was changed")
		}
	}
	srv := &http.Server{}
	must(t, httpwire.Configure(srv, nil))
	if srv.HTTP2 != nil {
		t.Errorf("without PeerTimeout: %+v", srv.HTTP2)
	}
}

// The pings that PeerTimeout sets are sent by every HTTP/2 server, whatever it was
// set up by, and a client that answers them stays.
func TestPeerTimeout_sendsPings(t *testing.T) {
	t.Parallel()
	var rows []func()
	for _, v := range variants {
		if v.proto != httpwire.HTTP2 {
			continue
		}
		v.opts = &httpwire.Options{PeerTimeout: peerTimeout}
		xnet := v.xnet
		v.xnet = false // set up here
		vs := new(visits)
		s := vs.serve(t, v, func(s *http.Server) {
			if xnet { // has a ReadIdleTimeout, which gives way
				//lint:ignore SA1019 deprecated, and what many servers call
				must(t, http2.ConfigureServer(s, &http2.Server{ReadIdleTimeout: time.Hour}))
			}
		})
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		id := c.get("/")
		receive(t, visit.ready, "the handler")
		rows = append(rows, func() {
			receive(t, c.pinged, "the first ping of "+v.name)
			receive(t, c.pinged, "the second ping of "+v.name)
			visit.untouched(t)
			receive(t, c.end(id), "the answer of "+v.name)
		})
	}
	for _, f := range rows {
		f()
	}
}

// What PeerTimeout is laid out as adds up to at most itself, with a sixth left for
// round trips and timers, and is as long as it can be for a live client.
func TestPatience_addsUp(t *testing.T) {
	for d := peerTimeout; d < 40*time.Hour; d += d/50 + 100*time.Millisecond {
		k, unacked, after, wait := httpwire.Patience(d)
		silence := k.Idle + time.Duration(k.Count)*k.Interval
		switch {
		case !k.Enable || k.Idle < time.Second || k.Interval < time.Second || k.Count < 1,
			k.Idle%time.Second != 0 || k.Interval%time.Second != 0,
			k.Idle > 32767*time.Second || k.Interval > 32767*time.Second || k.Count > 127:
			t.Errorf("%v: no system takes %+v", d, k)
		case silence > d/2 || silence+unacked > d-d/6 || after+wait > d-d/6:
			t.Errorf("%v: %v and %v, %v and %v: too long", d, silence, unacked, after, wait)
		case silence < min(d/4, 40000*time.Second) || unacked < d/4 || after+wait < d/2:
			t.Errorf("%v: %v and %v, %v and %v: too short", d, silence, unacked, after, wait)
		case silence < unacked-time.Second && d < 30*time.Hour:
			t.Errorf("%v: the last probe comes after %v, before Linux may act on it, at %v", d, silence, unacked)
		}
	}
}
