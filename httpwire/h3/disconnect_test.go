package h3_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// H1, H2: every way in which the client of one request leaves is seen once, with its
// kind and code, and touches no other request of the connection.
func TestConfigure_streamDisconnects(t *testing.T) {
	const code = 0x1ce
	stopSending := func(str *http3.RequestStream) { str.CancelRead(code) }
	resetStream := func(str *http3.RequestStream) { str.CancelWrite(code) }
	both := func(str *http3.RequestStream) { str.CancelWrite(code); str.CancelRead(code) }
	for _, tt := range []struct {
		name  string
		fin   bool // the client has ended its request
		body  string
		leave func(*http3.RequestStream)
		read  bool // the handler is reading the body
		kinds []httpwire.Kind
	}{
		{name: "STOP_SENDING, whole request", fin: true, leave: stopSending, kinds: []httpwire.Kind{httpwire.StreamReset}},
		{name: "STOP_SENDING, open body", leave: stopSending, kinds: []httpwire.Kind{httpwire.StreamReset}},
		{name: "STOP_SENDING, unread body", body: "some", leave: stopSending, kinds: []httpwire.Kind{httpwire.StreamReset}},
		{name: "STOP_SENDING, reading", body: "some", read: true, leave: stopSending, kinds: []httpwire.Kind{httpwire.StreamReset}},
		{name: "RESET_STREAM, no body yet", leave: resetStream, kinds: []httpwire.Kind{httpwire.BodyAborted}},
		{name: "RESET_STREAM, unread body", body: "some", leave: resetStream, kinds: []httpwire.Kind{httpwire.BodyAborted}},
		{name: "RESET_STREAM, reading", body: "some", read: true, leave: resetStream, kinds: []httpwire.Kind{httpwire.BodyAborted}},
		{name: "both", body: "some", leave: both, kinds: []httpwire.Kind{httpwire.StreamReset, httpwire.BodyAborted}},
		{name: "both, reading", body: "some", read: true, leave: both, kinds: []httpwire.Kind{httpwire.StreamReset, httpwire.BodyAborted}},
	} {
		for _, late := range []string{"", "1"} {
			t.Run(tt.name+", late="+late, func(t *testing.T) {
				s := serve(t, nil)
				c := dial(t, s, nil)
				ctl := newControl(s, c)
				header := []string{}
				if late != "" {
					header = []string{"Late", late}
				}
				str := c.open(withBody, "/", header...)
				if tt.body != "" {
					if _, err := str.Write([]byte(tt.body)); err != nil {
						t.Fatal(err)
					}
				}
				if tt.fin {
					if err := str.Close(); err != nil {
						t.Fatal(err)
					}
				}
				v := s.next()
				if tt.read {
					go io.Copy(io.Discard, v.r.Body) //nolint:errcheck // it ends with the request
				}
				tt.leave(str)
				if late != "" {
					newControl(s, c).untouched() // its frames come after the client's leaving
					v.register()
				}
				d := v.disconnect()
				if !contains(tt.kinds, d.Kind) || !d.HasCode || d.Code != code || d.Source != httpwire.SourceFrame {
					t.Errorf("got %v from %v, want one of %v with code %#x", d, d.Source, tt.kinds, code)
				}
				if e, ok := errors.AsType[*quic.StreamError](d.Err); !ok || !e.Remote {
					t.Errorf("Err = %#v, want the client's *quic.StreamError", d.Err)
				}
				ctl.untouched()
			})
		}
	}
}

func contains(kinds []httpwire.Kind, k httpwire.Kind) bool {
	for _, kind := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// H1, H2: the connection ends for all its requests and for none of another connection's.
func TestConfigure_connectionDisconnects(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(*client)
		kind  httpwire.Kind
		code  int64
	}{
		{"closed with H3_NO_ERROR", func(c *client) { _ = c.quic.CloseWithError(0x100, "bye") }, httpwire.Closed, 0x100},
		{"closed with 0", func(c *client) { _ = c.quic.CloseWithError(0, "") }, httpwire.Closed, 0},
		{"closed with H3_INTERNAL_ERROR", func(c *client) { _ = c.quic.CloseWithError(0x102, "") }, httpwire.Reset, 0x102},
		{"closed with an unknown code", func(c *client) { _ = c.quic.CloseWithError(0xdecaf, "") }, httpwire.Reset, 0xdecaf},
		{"vanished", func(c *client) { c.wire.cut() }, httpwire.Timeout, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, nil, func(srv *http3.Server) {
				srv.QUICConfig = &quic.Config{MaxIdleTimeout: time.Second}
			})
			ctl := newControl(s, dial(t, s, nil))
			c := dial(t, s, nil)
			whole, open := c.get("/"), c.open(withBody, "/", "Late", "1")
			_, _ = whole, open
			v1, v2 := s.next(), s.next()
			if v1.r.Method == withBody {
				v1, v2 = v2, v1
			}
			tt.leave(c)
			d := v1.disconnect()
			want(t, d, tt.kind, tt.code)
			if d.Source != httpwire.SourceQUIC || d.Err == nil {
				t.Errorf("Source = %v, Err = %v", d.Source, d.Err)
			}
			v2.register() // long after
			want(t, v2.disconnect(), tt.kind, tt.code)
			ctl.untouched()
		})
	}
}

// H1: what a Go program's client does: a cancelled request context, and a closed Transport.
func TestConfigure_standardClient(t *testing.T) {
	t.Run("request context", func(t *testing.T) {
		s := serve(t, nil)
		c := newTransport(t, s)
		stop, done := c.start("/")
		v := s.next()
		// The request is whole: who cancels before that resets its own side too, and either may be told.
		if _, err := io.Copy(io.Discard, v.r.Body); err != nil {
			t.Fatal(err)
		}
		stop()
		recv(t, done, "the client")
		want(t, v.disconnect(), httpwire.StreamReset, int64(http3.ErrCodeRequestCanceled))
	})
	t.Run("Transport.Close", func(t *testing.T) {
		s := serve(t, nil)
		c := newTransport(t, s)
		stop, done := c.start("/")
		defer stop()
		v := s.next()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		recv(t, done, "the client")
		want(t, v.disconnect(), httpwire.Closed, 0)
	})
}
