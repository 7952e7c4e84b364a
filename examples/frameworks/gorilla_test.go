package frameworks_test

import (
	"io"
	"log"
	"net/http"
	"time"

	"github.com/gorilla/handlers"
	"github.com/gorilla/mux"
)

func gorillaStack(serve func(call), _ time.Duration) http.Handler {
	r := mux.NewRouter()
	r.HandleFunc("/{name}", serveHTTP(serve)).Methods(http.MethodGet)
	h := handlers.RecoveryHandler(handlers.RecoveryLogger(log.New(io.Discard, "", 0)))(r)
	return handlers.LoggingHandler(io.Discard, handlers.ProxyHeaders(handlers.CompressHandler(h)))
}
