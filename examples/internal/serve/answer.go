package serve

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/hangup-go/hangup/httpwire"
)

// StatusClientLeft is what nginx made the custom for a request whose client did
// not wait for the answer. It goes nowhere.
const StatusClientLeft = 499

// ErrBodyBroke is the cause of a call that was stopped because the request's
// body broke off.
var ErrBodyBroke = errors.New("the request's body broke off")

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer can't be written as JSON"}`)
	}
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client is gone
}

// Error answers {"error": message}.
func Error(w http.ResponseWriter, status int, message string) {
	JSON(w, status, plainError(status, message))
}

func plainError(_ int, message string) any {
	return struct {
		Error string `json:"error"`
	}{message}
}

// fail answers with an error of the server's own.
func (s *Server) fail(w http.ResponseWriter, status int, message string) {
	JSON(w, status, s.config.Error(status, message))
}

// Stopped answers a request whose native call was cancelled. The client has
// left: then the answer goes nowhere (to a client that only closed its sending
// side it does get, and says so). Or the server is about to end: 503.
func Stopped(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrBodyBroke):
		BodyBroke(r)
		Error(w, StatusClientLeft, "stopped: "+err.Error())
	case errors.Is(err, httpwire.ErrDisconnected):
		Error(w, StatusClientLeft, "stopped: "+err.Error())
	default:
		Error(w, http.StatusServiceUnavailable, "stopped: "+err.Error())
	}
}

// NotAllowed answers 405 unless r's method is one of those allowed, and reports
// whether it did. A HEAD is not a GET here: it would compute for nobody.
func NotAllowed(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	list := ""
	for i, m := range allowed {
		if r.Method == m {
			return false
		}
		if i > 0 {
			list += ", "
		}
		list += m
	}
	w.Header().Set("Allow", list)
	Error(w, http.StatusMethodNotAllowed, "the method must be "+list)
	return true
}
