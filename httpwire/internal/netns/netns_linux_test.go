package netns_test

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/netns"
)

// A cut loses what is sent, a join lets it through again, and another address is not
// touched.
func TestPair_cut(t *testing.T) {
	p := netns.New(t)
	l, err := p.Listen()
	must(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	echo := func(c io.ReadWriter) error {
		if _, err := c.Write([]byte{1}); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	one, two := p.Address(), p.Address()
	c1, err := p.Dial(one, l.Addr().String())
	must(t, err)
	defer c1.Close()
	c2, err := p.Dial(two, l.Addr().String())
	must(t, err)
	defer c2.Close()
	must(t, echo(c1))
	must(t, p.Cut(one))
	must(t, c1.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if err := echo(c1); !os.IsTimeout(err) {
		t.Errorf("after the cut: %v, want a timeout", err)
	}
	must(t, echo(c2))
	must(t, p.Join(one))
	must(t, c1.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err = io.ReadFull(c1, make([]byte, 1)) // the retransmission
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
