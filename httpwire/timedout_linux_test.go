package httpwire_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/httpwire"
)

// H2: what TCP_INFO says of a connection's end, where the test in network
// namespaces would take a quarter of an hour, or another kernel.
func TestGaveUp_info(t *testing.T) {
	const s, rto = 1000, 1_000_000 // in milliseconds, in microseconds
	for _, tt := range []struct {
		name string
		info unix.TCPInfo
		user time.Duration
		want bool
	}{
		{"all is answered", unix.TCPInfo{Snd_wnd: 1, Last_ack_recv: 1000 * s, Last_data_recv: 1000 * s}, 0, false},
		{"the first probe's answer", unix.TCPInfo{Snd_wnd: 1, Probes: 1, Last_ack_recv: 15 * s, Last_data_recv: 15 * s}, 0, false},
		{"the last probe's answer", unix.TCPInfo{Snd_wnd: 1, Probes: 9, Last_ack_recv: 135 * s, Last_data_recv: 135 * s}, 0, false},
		{"no answer to the last probe", unix.TCPInfo{Snd_wnd: 1, Probes: 9, Last_ack_recv: 150 * s, Last_data_recv: 150 * s}, 0, true},
		{"a probe's answer, after the user timeout", unix.TCPInfo{Snd_wnd: 1, Probes: 1, Last_ack_recv: 15 * s, Last_data_recv: 15 * s}, 5 * time.Second, false},
		{"no answer to a probe, and the user timeout", unix.TCPInfo{Snd_wnd: 1, Probes: 1, Last_ack_recv: 30 * s, Last_data_recv: 30 * s}, 5 * time.Second, true},
		{"the 15th retransmission's answer", unix.TCPInfo{Snd_wnd: 1, Retransmits: 15, Rto: 120 * rto, Rtt: 100_000, Last_data_sent: 100}, 0, false},
		{"no answer to the 15th retransmission", unix.TCPInfo{Snd_wnd: 1, Retransmits: 15, Rto: 120 * rto, Rtt: 100_000, Last_data_sent: 120 * s}, 0, true},
		{"old kernel: the 3rd retransmission's answer", unix.TCPInfo{Snd_wnd: 1, Retransmits: 3, Rto: 8 * rto, Min_rtt: 300_000, Last_data_sent: 300}, 7 * time.Second, false},
		{"old kernel: no answer to the 3rd retransmission", unix.TCPInfo{Snd_wnd: 1, Retransmits: 3, Rto: 8 * rto, Min_rtt: 300_000, Last_data_sent: 900}, 7 * time.Second, true},
		{"the same, on a machine that is too busy to measure a round trip", unix.TCPInfo{Snd_wnd: 1, Retransmits: 3, Rto: 8 * rto, Rtt: 700_000, Rttvar: 300_000, Min_rtt: 50, Last_data_sent: 900}, 7 * time.Second, true},
		{"new kernel: early answer", unix.TCPInfo{Snd_wnd: 1, Retransmits: 2, Rto: 4 * rto, Total_rto_recoveries: 1, Total_rto_time: 2300, Last_data_sent: 300}, 7 * time.Second, false},
		{"new kernel: no answer", unix.TCPInfo{Snd_wnd: 1, Retransmits: 2, Rto: 4 * rto, Total_rto_recoveries: 1, Total_rto_time: 7000, Last_data_sent: 1000}, 7 * time.Second, true},
		{"closed window, reset", unix.TCPInfo{Notsent_bytes: 1, Last_data_sent: 900}, time.Second, false},
		{"closed window, user timeout", unix.TCPInfo{Notsent_bytes: 1, Last_data_sent: 1100}, time.Second, true},
		{"closed window, no user timeout", unix.TCPInfo{Notsent_bytes: 1, Last_data_sent: 1100 * s}, 0, false},
	} {
		if got := httpwire.GaveUp(tt.info, tt.user); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
