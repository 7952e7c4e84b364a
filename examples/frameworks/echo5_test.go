package frameworks_test

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

func echo5Stack(serve func(call), limit time.Duration) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	e.Use(middleware.RequestLogger(), middleware.Recover(), middleware.Gzip(), middleware.ContextTimeout(limit))
	e.GET("/work", func(c *echo.Context) error {
		serve(call{c.Request().Context(), c.Request(), c.Response()})
		return c.Request().Context().Err()
	})
	return e
}
