package frameworks_test

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// echo4Stack leaves out Echo's Timeout: it is deprecated for its data races.
// ContextTimeout takes its place.
func echo4Stack(serve func(call), limit time.Duration) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	//lint:ignore SA1019 it is what its users have
	logger := middleware.LoggerWithConfig(middleware.LoggerConfig{Output: io.Discard})
	e.Use(logger, middleware.Recover(), middleware.Gzip(), middleware.ContextTimeout(limit))
	e.GET("/work", func(c echo.Context) error {
		serve(call{c.Request().Context(), c.Request(), c.Response()})
		return c.Request().Context().Err()
	})
	return e
}
