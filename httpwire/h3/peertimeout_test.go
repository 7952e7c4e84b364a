package h3_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Bad input: options that make no sense are refused, and the server is left alone.
func TestConfigure_badOptions(t *testing.T) {
	for _, o := range []httpwire.Options{
		{PeerTimeout: -1}, {PeerTimeout: time.Second}, {PeerTimeout: 4*time.Second - 1},
		{BodyReadAhead: -1}, {HalfClose: 99},
	} {
		srv := &http3.Server{Handler: http.NotFoundHandler()}
		if err := h3.Configure(srv, &o); err == nil {
			t.Errorf("%+v: no error", o)
		}
		if srv.ConnContext != nil || srv.QUICConfig != nil {
			t.Errorf("%+v: the server was changed", o)
		}
	}
}

// PeerTimeout bounds the idle timeouts, those for one client too, in copies; what is
// shorter stays.
func TestPeerTimeout_config(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		peer                       time.Duration
		conf                       *quic.Config
		idle, handshake, keepAlive time.Duration
	}{
		{0, nil, 0, 0, 10 * s},
		{6 * s, nil, 3 * s, 3 * s, s},
		{time.Minute, nil, 30 * s, 5 * s, 10 * s},
		{10 * time.Minute, nil, 30 * s, 5 * s, 10 * s},
		{6 * s, &quic.Config{MaxIdleTimeout: time.Minute, KeepAlivePeriod: 20 * s}, 3 * s, 3 * s, 20 * s}, // quic-go takes at most half of the idle timeout
		{time.Minute, &quic.Config{MaxIdleTimeout: 9 * s, HandshakeIdleTimeout: s}, 9 * s, s, 3 * s},
	} {
		perClient := &quic.Config{}
		if tt.conf != nil {
			perClient = tt.conf.Clone()
		}
		unchanged := *perClient
		srv := &http3.Server{QUICConfig: tt.conf}
		if tt.conf != nil {
			tt.conf.GetConfigForClient = func(*quic.ClientInfo) (*quic.Config, error) { return perClient, nil }
		}
		if err := h3.Configure(srv, &httpwire.Options{PeerTimeout: tt.peer}); err != nil {
			t.Fatal(err)
		}
		got := []*quic.Config{srv.QUICConfig}
		if get := srv.QUICConfig.GetConfigForClient; get != nil {
			c, err := get(&quic.ClientInfo{})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c)
		}
		for _, c := range got {
			if c.MaxIdleTimeout != tt.idle || c.HandshakeIdleTimeout != tt.handshake || c.KeepAlivePeriod != tt.keepAlive {
				t.Errorf("%v, %+v: idle %v, handshake %v, keep-alive %v", tt.peer, unchanged, c.MaxIdleTimeout, c.HandshakeIdleTimeout, c.KeepAlivePeriod)
			}
		}
		if perClient.MaxIdleTimeout != unchanged.MaxIdleTimeout || perClient.KeepAlivePeriod != unchanged.KeepAlivePeriod {
			t.Error("the program's own quic.Config was changed")
		}
	}
}
