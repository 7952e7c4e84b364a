package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
)

// api is the server's own endpoints.
type api struct {
	engine  *llama.Engine
	trace   serve.Trace
	started time.Time
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/completions", only(http.MethodPost, a.handler(&completions)))
	mux.HandleFunc("/v1/chat/completions", only(http.MethodPost, a.handler(&chats)))
	mux.HandleFunc("/v1/models", only(http.MethodGet, a.models))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is no "+r.URL.Path)
	})
	return mux
}

func only(method string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			fail(w, http.StatusMethodNotAllowed, "the method must be "+method)
			return
		}
		h(w, r)
	}
}

func (a *api) models(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	serve.JSON(w, http.StatusOK, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", []model{{a.engine.Name, "model", a.started.Unix(), "hangup"}}})
}

func (a *api) handler(e *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, streamed, err := a.read(w, r, e)
		switch {
		case err != nil:
			a.refuse(w, err)
		case streamed:
			a.stream(w, r, e, q)
		default:
			a.block(w, r, e, q)
		}
	}
}

// block answers when the answer is complete: one native call, which waits for a
// context and ends when r's client leaves.
func (a *api) block(w http.ResponseWriter, r *http.Request, e *endpoint, q llama.Request) {
	var text strings.Builder
	res, err := native.DoIn(r.Context(), &a.engine.Pool, func(c *native.Call) (llama.Result, error) {
		return a.answer(c, r, q, func(piece []byte) bool {
			text.Write(piece)
			return true
		})
	})
	if err != nil {
		a.refuse(w, err)
		return
	}
	out := e.begin(a.engine.Name, false)
	e.whole(out, text.String())
	out.Choices[0].FinishReason = finishReason(res)
	out.Usage = usageOf(q, res)
	serve.JSON(w, http.StatusOK, out)
}

// answer is what the call does, traced.
func (a *api) answer(c *native.Call, r *http.Request, q llama.Request, emit func(piece []byte) bool) (llama.Result, error) {
	a.trace.Enter(r)
	res, err := a.engine.Answer(c, q, func(piece []byte) bool {
		a.trace.Begin(r)
		return emit(piece)
	})
	a.trace.Return(r, err)
	return res, err
}

// refuse answers a request that got no answer.
func (a *api) refuse(w http.ResponseWriter, err error) {
	e := errorOf(err)
	serve.JSON(w, e.status, envelopeOf(e))
}

// errorOf says how err is told. To a client that has left it goes nowhere.
func errorOf(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	var stopped *native.Error
	e = &apiError{status: http.StatusInternalServerError, Message: err.Error(), Type: "server_error"}
	switch {
	case errors.Is(err, httpwire.ErrDisconnected):
		e.status = serve.StatusClientLeft
	case errors.As(err, &stopped), httpwire.Status(err) == http.StatusServiceUnavailable:
		e.status = http.StatusServiceUnavailable
	}
	return e
}
