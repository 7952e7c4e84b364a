package h3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// H3: a client that does not read has not left: the windows of QUIC closed.
func TestConfigure_zeroWindow(t *testing.T) {
	const size = 4 << 20
	wrote := make(chan error, 1)
	visits := make(chan *visit, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		v := newVisit(t, w, r)
		v.register()
		visits <- v
		_, err := w.Write(make([]byte, size))
		wrote <- err
	})
	c := dial(t, s, nil)
	str := c.get("/handle")
	v := recv(t, visits, "the handler")
	rsp, err := str.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	newControl(s, dial(t, s, nil)).untouched()
	newControl(s, c).untouched()
	select {
	case err := <-wrote:
		t.Fatalf("the write returned: %v", err)
	default:
	}
	if err := v.r.Context().Err(); err != nil {
		t.Errorf("context: %v", context.Cause(v.r.Context()))
	}
	if n, err := io.Copy(io.Discard, rsp.Body); n != size || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	if err := recv(t, wrote, "the write"); err != nil {
		t.Error(err)
	}
	recv(t, v.returned, "the handler's return")
	v.untouched()
}

// H3: http.TimeoutHandler's deadline is no disconnect.
func TestConfigure_timeoutHandler(t *testing.T) {
	visits := make(chan *visit, 1)
	release := make(chan struct{})
	slow := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := newVisit(t, w, r)
		v.register()
		visits <- v
		<-release
	}), 20*time.Millisecond, "too late")
	s := serve(t, slow.ServeHTTP)
	c := dial(t, s, nil)
	str := c.get("/handle")
	v := recv(t, visits, "the handler")
	recv(t, v.r.Context().Done(), "the timeout")
	if err := v.r.Context().Err(); err != context.DeadlineExceeded || errors.Is(context.Cause(v.r.Context()), httpwire.ErrDisconnected) {
		t.Errorf("Err = %v, cause %v", err, context.Cause(v.r.Context()))
	}
	if got := status(t, str); got != http.StatusServiceUnavailable {
		t.Errorf("status %d", got)
	}
	close(release)
	recv(t, v.returned, "the handler's return")
	v.untouched()
}
