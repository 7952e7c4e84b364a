package h3_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/netns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	peerTimeout = 4 * time.Second // the least
	slack       = time.Second     // for a busy machine, before a goroutine gets to tell
)

// A guest is a request from an address of its own.
type guest struct {
	name string
	addr string
	str  *http3.RequestStream
	*visit
	at   time.Time     // when its client was cut off
	over chan struct{} // closed when its act has ended
}

// acts are what handlers do, before or after the client was cut off.
var acts = map[string]func(v *visit, gone <-chan struct{}){
	"blocked": func(*visit, <-chan struct{}) {},
	"pieces": func(v *visit, _ <-chan struct{}) {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(v.w, "piece"); err != nil {
				return
			}
			_ = http.NewResponseController(v.w).Flush()
			select {
			case <-v.r.Context().Done():
				return
			case <-tick.C:
			}
		}
	},
	"fills the stream": func(v *visit, gone <-chan struct{}) {
		<-gone
		for b := make([]byte, 1<<16); ; {
			if _, err := v.w.Write(b); err != nil {
				return
			}
		}
	},
	// The worst case: a packet starts the idle timer anew, just before the keep-alive does.
	"writes late": func(v *visit, gone <-chan struct{}) {
		<-gone
		select {
		case <-v.r.Context().Done():
		case <-time.After(peerTimeout / 7):
			_ = http.NewResponseController(v.w).Flush()
		}
	},
}

// visitor sends a request from an address of its own, and returns when its handler runs.
func visitor(t *testing.T, p *netns.Pair, s *server, conf *quic.Config) *guest {
	t.Helper()
	g := &guest{addr: p.Address()}
	pc, err := p.DialUDP(g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.str = dialFrom(t, s, conf, pc).get("/")
	g.visit = s.next()
	return g
}

// H1, H2: with PeerTimeout, a client that vanishes without a packet is found within
// it, as a timeout, whatever its handler does; a live and silent one beside it is not cut
// off. So it is when the client's own idle timeout is longer.
func TestPeerTimeout_vanished(t *testing.T) {
	p := netns.New(t)
	s := configure(t, nil, &httpwire.Options{PeerTimeout: peerTimeout})
	pc, err := p.ListenUDP()
	if err != nil {
		t.Fatal(err)
	}
	s.startOn(pc)
	long := &quic.Config{MaxIdleTimeout: time.Minute}
	control := visitor(t, p, s, long)
	since := time.Now()

	var guests []*guest
	for name, act := range acts {
		g := visitor(t, p, s, long)
		g.name = name
		gone, over := make(chan struct{}), make(chan struct{})
		go func() { defer close(over); act(g.visit, gone) }()
		g.over = over
		g.at = time.Now() // before: what takes long counts against us
		if err := p.Cut(g.addr); err != nil {
			t.Fatal(err)
		}
		close(gone)
		guests = append(guests, g)
	}
	for _, g := range guests {
		t.Run(g.name, func(t *testing.T) {
			d := recv(t, g.fired, "the callback")
			want(t, d, httpwire.Timeout, -1)
			took := d.Time.Sub(g.at)
			t.Logf("after %d ms by %v: %v", took.Milliseconds(), d.Source, d)
			if took > peerTimeout+slack {
				t.Errorf("found after %v, want at most %v", took, peerTimeout+slack)
			}
		})
		recv(t, g.over, "the handler's act")
		g.finish()
		g.untouched()
	}
	// Nothing tells that nothing will happen: wait, from the client's last packet on.
	time.Sleep(time.Until(since.Add(2*peerTimeout + slack)))
	if err := control.r.Context().Err(); err != nil {
		t.Errorf("the live client's request: %v", err)
	}
	control.finish()
	control.untouched()
	if got := status(t, control.str); got != http.StatusOK {
		t.Errorf("the live client's status = %d", got)
	}
}
