package h3_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func TestConfigure_nil(t *testing.T) {
	if err := h3.Configure(nil, nil); err == nil {
		t.Error("no error for a nil server")
	}
}

func TestConfigure_zeroServer(t *testing.T) {
	srv := &http3.Server{}
	if err := h3.Configure(srv, &httpwire.Options{}); err != nil {
		t.Fatal(err)
	}
	if srv.Handler == nil || srv.ConnContext == nil {
		t.Error("the server is not wrapped")
	}
	if c := srv.QUICConfig; c == nil || !c.Allow0RTT || c.KeepAlivePeriod != 10*time.Second {
		t.Errorf("QUICConfig = %+v, want 0-RTT, as http3 has it, and a keep-alive of 10s", c)
	}
}

// A second Configure does nothing.
func TestConfigure_twice(t *testing.T) {
	srv := &http3.Server{Handler: http.NotFoundHandler()}
	for range 2 {
		if err := h3.Configure(srv, nil); err != nil {
			t.Fatal(err)
		}
	}
	first, conf := srv.Handler, srv.QUICConfig
	if err := h3.Configure(srv, nil); err != nil {
		t.Fatal(err)
	}
	if srv.Handler != first || srv.QUICConfig != conf {
		t.Error("configured again")
	}
}

// A quic.Config may be shared: it is copied, and a KeepAlivePeriod in it is kept.
func TestConfigure_keepAlive(t *testing.T) {
	shared := &quic.Config{MaxIdleTimeout: time.Minute}
	perClient := &quic.Config{MaxIdleTimeout: 3 * time.Second}
	errRefused := errors.New("refused")
	for _, tt := range []struct {
		conf *quic.Config
		want time.Duration
	}{
		{shared, 20 * time.Second},
		{&quic.Config{KeepAlivePeriod: time.Second, MaxIdleTimeout: time.Minute}, time.Second},
		{&quic.Config{GetConfigForClient: func(*quic.ClientInfo) (*quic.Config, error) { return perClient, nil }}, 10 * time.Second},
		{&quic.Config{GetConfigForClient: func(*quic.ClientInfo) (*quic.Config, error) { return nil, errRefused }}, 10 * time.Second},
	} {
		srv := &http3.Server{QUICConfig: tt.conf}
		if err := h3.Configure(srv, nil); err != nil {
			t.Fatal(err)
		}
		if got := srv.QUICConfig.KeepAlivePeriod; got != tt.want {
			t.Errorf("KeepAlivePeriod = %v, want %v", got, tt.want)
		}
		get := srv.QUICConfig.GetConfigForClient
		if get == nil {
			continue
		}
		switch c, err := get(&quic.ClientInfo{}); {
		case err != nil && (c != nil || !errors.Is(err, errRefused)):
			t.Errorf("GetConfigForClient = %v, %v", c, err)
		case err == nil && c.KeepAlivePeriod != time.Second:
			t.Errorf("KeepAlivePeriod for the client = %v, want 1s", c.KeepAlivePeriod)
		}
	}
	if shared.KeepAlivePeriod != 0 || perClient.KeepAlivePeriod != 0 {
		t.Error("the program's own quic.Config was changed")
	}
}

// The program's own ConnContext is called, and its values reach the requests.
func TestConfigure_ownConnContext(t *testing.T) {
	type key struct{}
	s := serve(t, nil, func(srv *http3.Server) {
		srv.ConnContext = func(ctx context.Context, c *quic.Conn) context.Context {
			return context.WithValue(ctx, key{}, c.RemoteAddr().String())
		}
	})
	ctl := newControl(s, dial(t, s, nil))
	if got := ctl.r.Context().Value(key{}); got != ctl.r.RemoteAddr {
		t.Errorf("value = %v, want %v", got, ctl.r.RemoteAddr)
	}
	if ctl.r.Context().Value(http3.ServerContextKey) != any(s.Server) {
		t.Error("http3.ServerContextKey is lost")
	}
	ctl.untouched()
}

// native.Do finds the token of the request, and the flag is set with the disconnect.
func TestConfigure_token(t *testing.T) {
	s := serve(t, nil)
	str := dial(t, s, nil).get("/")
	v := s.next()
	tok := cancel.FromContext(v.r.Context())
	if tok == nil {
		t.Fatal("the request's context has no token")
	}
	flag := tok.Flag()
	str.CancelRead(1)
	d := recv(t, v.fired, "the callback")
	if tok.Cause() != error(d) {
		t.Errorf("the token's cause is %v", tok.Cause())
	}
	if !flag.IsSet() {
		t.Error("the flag is not set")
	}
	v.finish()
	v.untouched()
}

// H7: the handler's ResponseWriter is still all that http3's is.
func TestConfigure_writer(t *testing.T) {
	s := serve(t, nil)
	c := dial(t, s, nil)
	str := c.open(withBody, "/")
	v := s.next()
	for _, ok := range []bool{is[http.Flusher](v.w), is[http3.HTTPStreamer](v.w), is[http3.Settingser](v.w)} {
		if !ok {
			t.Errorf("%T lacks one of Flusher, HTTPStreamer and Settingser", v.w)
		}
	}
	recv(t, v.w.(http3.Settingser).ReceivedSettings(), "the client's settings")
	if v.w.(http3.Settingser).Settings() == nil {
		t.Error("no Settings")
	}
	rc := http.NewResponseController(v.w)
	if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Hour)), rc.SetWriteDeadline(time.Now().Add(time.Hour)), rc.Flush()); err != nil {
		t.Error(err)
	}
	if sid, ok := v.r.Body.(interface{ StreamID() quic.StreamID }); !ok || sid.StreamID() != str.StreamID() {
		t.Errorf("the body's StreamID is lost")
	}
	v.finish()
	v.untouched()
	if got := status(t, str); got != http.StatusOK {
		t.Errorf("status = %d", got)
	}
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

// A handler that takes the stream over goes on being watched.
func TestConfigure_takeOver(t *testing.T) {
	s := serve(t, nil)
	c := dial(t, s, nil)
	str := c.open(withBody, "/")
	v := s.next()
	v.w.WriteHeader(http.StatusOK)
	own, err := v.w.(http3.HTTPStreamer).HTTPStream()
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := str.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(rsp.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	str.CancelRead(0x33)
	want(t, v.disconnect(), httpwire.StreamReset, 0x33)
	own.CancelRead(0)
}

// The final size callback of a handler that has taken the stream over stays its own,
// whether the handler looked at its client before or after.
func TestConfigure_takeOverCallback(t *testing.T) {
	for _, header := range [][]string{nil, {"Late", "1"}} {
		s := serve(t, nil)
		str := dial(t, s, nil).open(withBody, "/", header...)
		v := s.next()
		own, err := v.w.(http3.HTTPStreamer).HTTPStream()
		if err != nil {
			t.Fatal(err)
		}
		size := make(chan int64, 1)
		own.QUICStream().SetReceiveFinalSizeCallback(func(n int64) { size <- n })
		if header != nil {
			v.register()
		}
		v.finish()
		if err := str.Close(); err != nil {
			t.Fatal(err)
		}
		recv(t, size, "the handler's callback")
		v.untouched()
		own.CancelRead(0)
		own.CancelWrite(0)
	}
}

// GOAWAY: Shutdown lets the running request finish, refuses new ones, and returns.
func TestConfigure_shutdown(t *testing.T) {
	s := serve(t, nil)
	c := dial(t, s, nil)
	ctl := newControl(s, c)
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	recv(t, s.served, "Serve") // the listener is closed: GOAWAY is on its way
	s.served <- nil            // for the cleanup
	for {                      // a client that has seen GOAWAY opens no new request
		ctx, stop := context.WithTimeout(context.Background(), bound)
		str, err := c.h3.OpenRequestStream(ctx)
		stop()
		if err != nil {
			break
		}
		str.CancelRead(0x10c)
		str.CancelWrite(0x10c)
	}
	if err := ctl.r.Context().Err(); err != nil {
		t.Errorf("the running request was cancelled: %v", context.Cause(ctl.r.Context()))
	}
	ctl.untouched()
	if err := recv(t, down, "Shutdown"); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// Alt-Svc is announced.
func TestConfigure_altSvc(t *testing.T) {
	s := serve(t, nil)
	newControl(s, dial(t, s, nil)).untouched()
	h := http.Header{}
	_, port, _ := net.SplitHostPort(s.addr)
	if err := s.SetQUICHeaders(h); err != nil || h.Get("Alt-Svc") != `h3=":`+port+`"; ma=2592000` {
		t.Errorf("Alt-Svc = %q, %v", h.Get("Alt-Svc"), err)
	}
}
