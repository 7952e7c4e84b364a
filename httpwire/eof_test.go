//go:build unix

package httpwire_test

import (
	"io"
	"syscall"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
)

// What kqueue's EV_EOF means, by the socket's error that comes with it and by
// whether the output has ended too.
func TestEOF_kinds(t *testing.T) {
	for _, c := range []struct {
		err  error
		both bool
		kind httpwire.Kind
		want error
	}{
		{nil, false, httpwire.Closed, io.EOF},
		{nil, true, httpwire.Reset, syscall.ECONNRESET}, // its error was read by somebody
		{syscall.ECONNRESET, true, httpwire.Reset, syscall.ECONNRESET},
		{syscall.ETIMEDOUT, true, httpwire.Timeout, syscall.ETIMEDOUT},
		{syscall.EHOSTUNREACH, false, httpwire.ConnectionLost, syscall.EHOSTUNREACH},
		{syscall.ENETUNREACH, true, httpwire.ConnectionLost, syscall.ENETUNREACH},
		{syscall.ENETDOWN, true, httpwire.ConnectionLost, syscall.ENETDOWN},
	} {
		if kind, err := httpwire.EOF(c.err, c.both); kind != c.kind || err != c.want {
			t.Errorf("%v, both %v: %v, %v; want %v, %v", c.err, c.both, kind, err, c.kind, c.want)
		}
	}
}
