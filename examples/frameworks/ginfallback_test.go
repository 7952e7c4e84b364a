package frameworks_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// Gin: without ContextWithFallback a *gin.Context is never done. The context of its
// request is, in any case.
func TestGin_withoutFallback(t *testing.T) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) {
			visit := newVisit()
			silent := make(chan bool, 1)
			gin.SetMode(gin.ReleaseMode)
			e := gin.New()
			e.GET("/work", func(c *gin.Context) {
				silent <- c.Done() == nil
				visit.serve(call{c.Request.Context(), c.Request, c.Writer})
			})
			s := v.start(t, e, true)
			ctx, leave := context.WithCancel(context.Background())
			defer leave()
			answer := make(chan error, 1)
			go func() { answer <- get(ctx, s.client(t), s.url) }()
			must(t, receive(t, visit.ready, "the handler"))
			leave()
			d := receive(t, visit.fired, "OnDisconnect's callback")
			wantLeft(t, d, v.proto, false)
			if err := receive(t, visit.cause, "the request's context"); err != error(d) {
				t.Errorf("cause = %v, want %v", err, d)
			}
			if !receive(t, silent, "the handler") {
				t.Error("a *gin.Context has a Done without ContextWithFallback: say so in the documents")
			}
			receive(t, answer, "the client")
			receive(t, s.ended, "the handler's end")
		})
	}
}

// Gin's own Stream, which waits for http.CloseNotifier, ends when the client leaves.
func TestGin_streamEnds(t *testing.T) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) {
			left := make(chan bool, 1)
			first := make(chan struct{})
			e := gin.New()
			e.GET("/work", func(c *gin.Context) {
				n := 0
				wait, stop := context.WithTimeout(context.Background(), bound)
				defer stop()
				left <- c.Stream(func(w io.Writer) bool {
					if n++; n == 2 {
						close(first)
					}
					if n > 1 {
						// As a step that waits for its next piece, or for the client.
						select {
						case <-c.Request.Context().Done():
						case <-wait.Done():
						}
					}
					_, _ = io.WriteString(w, "piece\n")
					return wait.Err() == nil // CloseNotify may come later than Done
				})
			})
			s := v.start(t, e, true)
			ctx, leave := context.WithTimeout(context.Background(), time.Minute)
			defer leave()
			answer := make(chan error, 1)
			go func() { answer <- get(ctx, s.client(t), s.url) }()
			receive(t, first, "the second step")
			leave()
			if !receive(t, left, "Stream to return") {
				t.Error("Stream did not notice that the client left")
			}
			receive(t, answer, "the client")
			receive(t, s.ended, "the handler's end")
		})
	}
}
