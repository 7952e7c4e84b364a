package serve

import (
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/hangup-go/hangup/cancel"
)

// catchPanics turns a panic into a 500. Once the header is out it is too late
// for that: then the answer is cut off, so that it can't be taken for whole.
func (s *Server) catchPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hw := &headerWatch{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.config.Log.Error("panic", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(stackOf(p)))
			if hw.wrote {
				panic(http.ErrAbortHandler)
			}
			s.fail(w, http.StatusInternalServerError, "internal error")
		}()
		next.ServeHTTP(hw, r)
	})
}

// stackOf is the stack of the goroutine that panicked: a native call's or a
// callback's own if it was one of those.
func stackOf(p any) []byte {
	if err, ok := p.(error); ok {
		var pe *cancel.PanicError
		if errors.As(err, &pe) {
			return pe.Stack
		}
	}
	return debug.Stack()
}

// A headerWatch knows whether the final header was written. What else the
// writer can do is found through Unwrap, by http.ResponseController.
type headerWatch struct {
	http.ResponseWriter
	wrote bool
}

func (w *headerWatch) WriteHeader(status int) {
	w.wrote = w.wrote || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *headerWatch) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

func (w *headerWatch) FlushError() error {
	w.wrote = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *headerWatch) Unwrap() http.ResponseWriter { return w.ResponseWriter }
