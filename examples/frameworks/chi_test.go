package frameworks_test

import (
	"io"
	"log"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func chiStack(serve func(call), limit time.Duration) http.Handler {
	r := chi.NewRouter()
	logger := &middleware.DefaultLogFormatter{Logger: log.New(io.Discard, "", 0), NoColor: true}
	r.Use(middleware.RequestID, middleware.RequestLogger(logger), middleware.Recoverer,
		middleware.Throttle(10), middleware.Timeout(limit), middleware.Compress(5))
	r.Get("/work", serveHTTP(serve))
	return r
}
