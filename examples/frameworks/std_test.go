package frameworks_test

import (
	"net/http"
	"time"
)

func serveHTTP(serve func(call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { serve(call{r.Context(), r, w}) }
}

// netHTTP is what the standard library has of middleware.
func netHTTP(serve func(call), _ time.Duration) http.Handler {
	inner := http.NewServeMux()
	inner.Handle("GET /{name}", serveHTTP(serve))
	mux := http.NewServeMux()
	mux.Handle("/", http.StripPrefix("", inner))
	return http.NewCrossOriginProtection().Handler(http.AllowQuerySemicolons(http.MaxBytesHandler(mux, 1<<20)))
}

func timeoutHandler(serve func(call), limit time.Duration) http.Handler {
	return http.TimeoutHandler(serveHTTP(serve), limit, "too late\n")
}
