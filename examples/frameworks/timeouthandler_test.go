package frameworks_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// http.TimeoutHandler does not wait for its handler once the time is up. What that
// handler asks for then does not come, and does no harm.
func TestTimeoutHandler_lateRegistration(t *testing.T) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) {
			visit := newVisit()
			goOn, done := make(chan struct{}), make(chan error, 1)
			release := sync.OnceFunc(func() { close(goOn) })
			defer release()
			s := v.start(t, timeoutHandler(func(c call) {
				<-goOn
				_, err := httpwire.OnDisconnect(c.r, func(d *httpwire.Disconnect) { visit.fired <- d })
				<-c.ctx.Done()
				done <- err
			}, 20*time.Millisecond), true)
			ctx, stop := context.WithTimeout(context.Background(), bound)
			defer stop()
			c := s.client(t)
			if err := get(ctx, c, s.url); err == nil || ctx.Err() != nil {
				t.Errorf("the client got %v, want a 503", err)
			}
			receive(t, s.ended, "TimeoutHandler to return")
			c.CloseIdleConnections()
			release()
			must(t, receive(t, done, "the handler that goes on"))
			visit.notFired(t)
		})
	}
}
