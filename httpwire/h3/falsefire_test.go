package h3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// done waits for the request's context and checks that its cause is no Disconnect.
func (v *visit) cancelledOtherwise() {
	v.t.Helper()
	recv(v.t, v.r.Context().Done(), "the request's context")
	if cause := context.Cause(v.r.Context()); errors.Is(cause, httpwire.ErrDisconnected) {
		v.t.Errorf("the context's cause is %v", cause)
	}
}

// H3: what this end does to its server ends the context, and is no disconnect.
func TestConfigure_serverEnds(t *testing.T) {
	var base context.CancelCauseFunc
	errBase := errors.New("base context cancelled")
	for _, tt := range []struct {
		name string
		end  func(*server, *visit)
		why  []error
	}{
		{"Close", func(s *server, _ *visit) { go s.Close() }, []error{httpwire.ErrServerClosed}}, // it waits for the handlers
		{"Shutdown with a deadline", func(s *server, _ *visit) {
			ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
			go func() {
				defer stop()
				_ = s.Shutdown(ctx)
			}()
		}, []error{httpwire.ErrServerClosed}},
		{"base context", func(*server, *visit) { base(errBase) }, []error{httpwire.ErrBaseContext, errBase}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, nil, func(srv *http3.Server) {
				srv.ConnContext = func(ctx context.Context, _ *quic.Conn) context.Context {
					ctx, base = context.WithCancelCause(ctx)
					return ctx
				}
			})
			c := dial(t, s, nil)
			whole, open := c.get("/"), c.open(withBody, "/")
			_, _ = whole, open
			v1, v2 := s.next(), s.next()
			tt.end(s, v1)
			for _, v := range []*visit{v1, v2} {
				v.cancelledOtherwise()
				for _, why := range tt.why {
					if c := context.Cause(v.r.Context()); !errors.Is(c, why) || !errors.Is(c, context.Canceled) {
						t.Errorf("the context's cause is %v, want %v", c, why)
					}
				}
				v.finish()
				v.untouched()
			}
		})
	}
}

// H1, H3: after the base context has ended, which is no disconnect, the client may
// still leave: OnDisconnect is about the client alone.
func TestConfigure_disconnectAfterBaseContext(t *testing.T) {
	var base context.CancelCauseFunc
	s := serve(t, nil, func(srv *http3.Server) {
		srv.ConnContext = func(ctx context.Context, _ *quic.Conn) context.Context {
			ctx, base = context.WithCancelCause(ctx)
			return ctx
		}
	})
	for _, tt := range []struct {
		name  string
		leave func(*client, *http3.RequestStream)
		kind  httpwire.Kind
		code  int64
	}{
		{"STOP_SENDING", func(_ *client, str *http3.RequestStream) { str.CancelRead(7) }, httpwire.StreamReset, 7},
		{"CONNECTION_CLOSE", func(c *client, _ *http3.RequestStream) { _ = c.quic.CloseWithError(0x100, "") }, httpwire.Closed, 0x100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, s, nil)
			str := c.get("/")
			v := s.next()
			base(errors.New("enough"))
			v.cancelledOtherwise()
			tt.leave(c, str)
			want(t, recv(t, v.fired, "the callback"), tt.kind, tt.code)
			v.finish()
			v.untouched()
		})
	}
}

// H3: what the handler does to its own stream, what a whole request's ordinary course is, and a
// body longer than declared, fires nothing, and harms no request beside it.
func TestConfigure_handlersOwn(t *testing.T) {
	past := time.Unix(1, 0)
	for _, tt := range []struct {
		name    string
		request func(*testing.T, *client) *http3.RequestStream
		handle  func(w http.ResponseWriter, r *http.Request)
	}{
		{"normal return", whole, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") }},
		{"panic", whole, func(http.ResponseWriter, *http.Request) { panic("as the test wants") }},
		{"ErrAbortHandler", whole, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"SetReadDeadline", someBody, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetReadDeadline(past)
			_, _ = io.Copy(io.Discard, r.Body)
		}},
		{"SetReadDeadline during Read", someBody, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Millisecond))
			_, _ = io.Copy(io.Discard, r.Body)
		}},
		{"SetWriteDeadline", whole, func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			_ = rc.SetWriteDeadline(past)
			_, _ = w.Write(make([]byte, 1<<20))
			_ = rc.Flush()
		}},
		{"Body.Close: the client answers with RESET_STREAM", someBody, func(_ http.ResponseWriter, r *http.Request) {
			_ = r.Body.Close()
		}},
		{"the body ends while the handler runs", func(t *testing.T, c *client) *http3.RequestStream {
			str := someBody(t, c)
			_ = str.Close()
			return str
		}, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }},
		{"body longer than Content-Length", func(t *testing.T, c *client) *http3.RequestStream {
			str := c.open(http.MethodPost, "/handle") // announces 0
			_, _ = str.Write([]byte("more"))
			return str
		}, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			visits := make(chan *visit, 1)
			barrier := make(chan struct{})
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				v := newVisit(t, w, r)
				v.register()
				visits <- v
				tt.handle(w, r)
				select {
				case <-barrier: // another request has come and gone since
				case <-t.Context().Done():
				}
			})
			c := dial(t, s, nil)
			beside := newControl(s, c)
			tt.request(t, c)
			v := recv(t, visits, "the handler")
			newControl(s, c).untouched()
			close(barrier)
			recv(t, v.returned, "the handler's return")
			beside.untouched()
			newControl(s, c).untouched()
			v.untouched()
			if cause := context.Cause(v.r.Context()); errors.Is(cause, httpwire.ErrDisconnected) {
				t.Errorf("the context's cause is %v", cause)
			}
		})
	}
}

func whole(_ *testing.T, c *client) *http3.RequestStream { return c.get("/handle") }

func someBody(_ *testing.T, c *client) *http3.RequestStream {
	str := c.open(withBody, "/handle")
	_, _ = str.Write([]byte("some")) // fails if the handler has closed the body by now
	return str
}

// H3: the end of a request overtakes a part of it that was lost on the way: no
// disconnect, and quic-go's event loop is not held up by telling so.
func TestConfigure_overtakingFIN(t *testing.T) {
	s := serve(t, nil)
	c := dial(t, s, nil)
	str := c.open(withBody, "/")
	v := s.next()
	newControl(s, c).untouched() // nothing else is left to send
	lost := c.wire.loseNext()
	if _, err := str.Write([]byte("lost, and sent again")); err != nil {
		t.Fatal(err)
	}
	recv(t, lost, "a packet to be lost")
	if err := str.Close(); err != nil {
		t.Fatal(err)
	}
	newControl(s, c).untouched()
	if b, err := io.ReadAll(v.r.Body); err != nil || string(b) != "lost, and sent again" {
		t.Errorf("body = %q, %v", b, err)
	}
	v.finish()
	v.untouched()
}

// H3: the client breaks the protocol and this end closes the connection.
func TestConfigure_protocolError(t *testing.T) {
	s := serve(t, nil)
	c := dial(t, s, nil)
	c.get("/")
	v := s.next()
	str, err := c.quic.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := str.Write([]byte{0}); err != nil { // a second control stream
		t.Fatal(err)
	}
	v.cancelledOtherwise()
	v.finish()
	v.untouched()
}

// Rule 3: the response is complete, the handler still runs, the client leaves.
func TestConfigure_completeResponse(t *testing.T) {
	leave := map[string]func(*client, *http3.RequestStream){
		"STOP_SENDING":     func(_ *client, str *http3.RequestStream) { str.CancelRead(0x10c) },
		"CONNECTION_CLOSE": func(c *client, _ *http3.RequestStream) { _ = c.quic.CloseWithError(0x100, "") },
	}
	for _, tt := range []struct {
		name   string
		method string
		write  func(http.ResponseWriter)
	}{
		{"small, flushed", http.MethodGet, func(w http.ResponseWriter) { announce(w, 2); write(w, 2); flush(w) }},
		{"exactly the buffer", http.MethodGet, func(w http.ResponseWriter) { announce(w, 4096); write(w, 4096) }},
		{"large", http.MethodGet, func(w http.ResponseWriter) { announce(w, 9000); write(w, 9000) }},
		{"flushed, then the rest", http.MethodGet, func(w http.ResponseWriter) { announce(w, 4); write(w, 2); flush(w); write(w, 2) }},
		{"HEAD, flushed", http.MethodHead, flush},
		{"204, flushed", http.MethodGet, func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent); flush(w) }},
	} {
		for name, leave := range leave {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				s := serve(t, nil)
				c := dial(t, s, nil)
				str := c.open(tt.method, "/")
				v := s.next()
				tt.write(v.w)
				rsp, err := str.ReadResponse()
				if err != nil {
					t.Fatal(err)
				}
				if tt.method != http.MethodHead {
					if _, err := io.CopyN(io.Discard, rsp.Body, rsp.ContentLength); rsp.ContentLength > 0 && err != nil {
						t.Fatal(err)
					}
				}
				leave(c, str)
				v.cancelledLocally()
				v.finish()
				v.untouched()
			})
		}
	}
}

// cancelledLocally waits until the watch has dealt with the end of http3's own context.
func (v *visit) cancelledLocally() {
	v.t.Helper()
	recv(v.t, v.r.Context().Done(), "the request's context")
}

func announce(w http.ResponseWriter, n int) { w.Header().Set("Content-Length", strconv.Itoa(n)) }
func write(w http.ResponseWriter, n int)    { _, _ = w.Write(make([]byte, n)) }
func flush(w http.ResponseWriter)           { _ = http.NewResponseController(w).Flush() }

// A client that waits in silence is not cut off by the idle timeout.
func TestConfigure_silentClient(t *testing.T) {
	const idle = 2 * time.Second // long for a busy machine to say nothing
	s := serve(t, nil, func(srv *http3.Server) { srv.QUICConfig = &quic.Config{MaxIdleTimeout: idle} })
	c := dial(t, s, nil)
	ctl := newControl(s, c)
	select { // the one wait for time to pass: nothing is to happen
	case <-ctl.r.Context().Done():
		t.Errorf("the context is done: %v", context.Cause(ctl.r.Context()))
	case <-time.After(idle * 3 / 2):
	}
	ctl.untouched()
}
