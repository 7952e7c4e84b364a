package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
)

// maxBody bounds a request, and so how long it takes to find its tokens, which
// nothing stops.
const maxBody = 1 << 20

// parameters are what both endpoints understand. What else OpenAI's have is
// ignored, unless the answer would be wrong without it: see unsupported.
type parameters struct {
	MaxTokens           *int     `json:"max_tokens"`
	MaxCompletionTokens *int     `json:"max_completion_tokens"` // its new name
	Temperature         *float64 `json:"temperature"`
	Seed                *int64   `json:"seed"`
	Stream              bool     `json:"stream"`

	N     json.RawMessage `json:"n"`
	Stop  json.RawMessage `json:"stop"`
	Tools json.RawMessage `json:"tools"`
}

// An endpoint is what the two differ in.
type endpoint struct {
	id, object, part string // the prefix of ids; what an answer and a part of one are called
	chat             bool
	most             int // tokens of an answer, if the request does not say
	prompt           func(m *llama.Model, body []byte) ([]llama.Token, error)
}

var (
	completions = endpoint{"cmpl-", "text_completion", "text_completion", false, 16, completionPrompt}
	chats       = endpoint{"chatcmpl-", "chat.completion", "chat.completion.chunk", true, math.MaxInt, chatPrompt}
)

func completionPrompt(m *llama.Model, body []byte) ([]llama.Token, error) {
	var q struct {
		Prompt *string `json:"prompt"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	if q.Prompt == nil {
		return nil, errors.New("prompt is missing")
	}
	return m.Tokenize(*q.Prompt, false)
}

func chatPrompt(m *llama.Model, body []byte) ([]llama.Token, error) {
	var q struct {
		Messages []llama.Message `json:"messages"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	if len(q.Messages) == 0 {
		return nil, errors.New("messages are missing")
	}
	text, err := m.Chat(q.Messages)
	if err != nil {
		return nil, err
	}
	return m.Tokenize(text, true) // as llama.cpp's own server: a message can have control tokens in it
}

// read reads and checks a request. The error is an *apiError.
func (a *api) read(w http.ResponseWriter, r *http.Request, e *endpoint) (q llama.Request, stream bool, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return q, false, unread(err)
	}
	var p parameters
	if err := json.Unmarshal(body, &p); err != nil {
		return q, false, invalid("the body is not such a request: " + err.Error())
	}
	if q, err = p.request(e.most); err != nil {
		return q, false, invalid(err.Error())
	}
	if q.Prompt, err = e.prompt(a.engine.Model, body); err != nil {
		return q, false, invalid(err.Error())
	}
	switch n, size := len(q.Prompt), a.engine.Size(); {
	case n == 0:
		return q, false, invalid("the prompt is empty")
	case n >= size:
		return q, false, tooLong(fmt.Sprintf("the context has room for %d tokens, and the prompt alone has %d", size, n))
	}
	return q, p.Stream, nil
}

func unread(err error) *apiError {
	e := invalid("reading the body: " + err.Error())
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		e.status = http.StatusRequestEntityTooLarge
	}
	return e
}

func tooLong(message string) *apiError {
	e, code := invalid(message), "context_length_exceeded"
	e.Code = &code
	return e
}

// request is without the prompt.
func (p *parameters) request(most int) (q llama.Request, err error) {
	q = llama.Request{MaxTokens: most, Temperature: 1, Seed: rand.Uint32()}
	for _, n := range []*int{p.MaxTokens, p.MaxCompletionTokens} {
		if n != nil {
			q.MaxTokens = *n
		}
	}
	if p.Temperature != nil {
		q.Temperature = *p.Temperature
	}
	if p.Seed != nil {
		q.Seed = uint32(*p.Seed)
	}
	switch {
	case q.MaxTokens < 1:
		return q, errors.New("max_tokens must be at least 1")
	case q.Temperature < 0 || q.Temperature > 2:
		return q, errors.New("temperature must be from 0 to 2")
	}
	return q, p.unsupported()
}

// unsupported refuses what would change the answer and is not done here.
func (p *parameters) unsupported() error {
	for name, value := range map[string]json.RawMessage{"n": p.N, "stop": p.Stop, "tools": p.Tools} {
		switch string(value) {
		case "", "null", "1", "[]": // absent, or as if it were
		default:
			return errors.New(name + " is not supported")
		}
	}
	return nil
}
