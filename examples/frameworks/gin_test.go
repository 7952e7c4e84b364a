package frameworks_test

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// ginStack passes on the *gin.Context as the context, for which
// ContextWithFallback has to be set. Gin has no timeout middleware: ours is what
// its users write.
func ginStack(serve func(call), limit time.Duration) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.ContextWithFallback = true
	e.Use(gin.LoggerWithWriter(io.Discard), gin.RecoveryWithWriter(io.Discard), func(c *gin.Context) {
		ctx, stop := context.WithTimeout(c.Request.Context(), limit)
		defer stop()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
		if ctx.Err() == context.DeadlineExceeded {
			c.AbortWithStatus(http.StatusServiceUnavailable)
		}
	})
	e.GET("/work", func(c *gin.Context) { serve(call{c, c.Request, c.Writer}) })
	return e
}
