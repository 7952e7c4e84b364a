package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N11, end to end: a client hangs up, and the receipt has the time of each stage, from the
// disconnect to Do's return.
func TestN11_fromDisconnectToReturn(t *testing.T) {
	got, in := make(chan native.Receipt, 1), new(nativetest.Inside)
	srv := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := native.WithTrace(r.Context(), &native.Trace{Done: func(r native.Receipt) { got <- r }})
		_, _ = native.Do(ctx, func(c *native.Call) (int, error) {
			return 0, nativetest.Spin(c.Flag().Pointer(), time.Hour, in)
		})
	})}
	if err := httpwire.Configure(srv, nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(httpwire.Listener(l)) }()
	defer func() {
		_ = srv.Close()
		<-served
	}()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	in.Wait()
	closed := time.Now()
	_ = c.Close()
	var r native.Receipt
	select {
	case r = <-got:
	case <-time.After(30 * time.Second):
		t.Fatal("waited for the receipt")
	}
	var d *httpwire.Disconnect
	if r.Outcome != native.Cancelled || !errors.As(r.Cause, &d) || !errors.Is(r.Err, nativetest.ErrStopped) || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("receipt %+v", r)
	}
	stages := []time.Time{r.Start, r.Admitted, r.Entered, closed, r.Noticed, r.FlagSet, r.Returned, r.Done, time.Now()}
	for i := 1; i < len(stages); i++ {
		if stages[i].IsZero() || stages[i].Before(stages[i-1]) {
			t.Errorf("stage %d at %v, the one before at %v", i, stages[i], stages[i-1])
		}
	}
	t.Logf("closed, noticed %v later, flag %v, C returned %v, Do %v",
		r.Noticed.Sub(closed), r.FlagSet.Sub(closed), r.Returned.Sub(closed), r.Done.Sub(closed))
}
