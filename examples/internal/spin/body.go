package spin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hangup-go/hangup/examples/internal/serve"
)

// readBody reads r's body to its end on a goroutine of its own. The context is
// r's, and is done as well when the body breaks off. join ends the reading and
// returns once the goroutine has; until then the answer must not be written.
func readBody(w http.ResponseWriter, r *http.Request) (ctx context.Context, join func()) {
	ctx, stop := context.WithCancelCause(r.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			// If r's own context is done already, that cause has won.
			stop(fmt.Errorf("%w: %w", serve.ErrBodyBroke, err))
		}
	}()
	return ctx, func() {
		select {
		case <-ended:
		default:
			// The client takes longer with its body than C took. A deadline in
			// the past ends the Read; the call is over, so nobody is misled by it.
			_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
			<-ended
		}
		stop(nil)
	}
}
