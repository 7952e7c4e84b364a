package server

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

// The shapes are those of OpenAI's API reference: "Completions" and "Chat
// Completions" with their streaming parts, "Models", and "Error codes".

// An answer is a completion, or a part of one.
type answer struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Created int64     `json:"created"` // seconds since 1970
	Model   string    `json:"model"`
	Choices [1]choice `json:"choices"`
	Usage   *usage    `json:"usage,omitempty"`
}

type choice struct {
	Index        int       `json:"index"`
	Text         *string   `json:"text,omitempty"`    // a completion's
	Message      *message  `json:"message,omitempty"` // a chat's
	Delta        *message  `json:"delta,omitempty"`   // a part of a chat's
	Logprobs     *struct{} `json:"logprobs"`          // there are none
	FinishReason *string   `json:"finish_reason"`     // of the last part
}

type message struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

func usageOf(q llama.Request, res llama.Result) *usage {
	return &usage{len(q.Prompt), res.Tokens, len(q.Prompt) + res.Tokens}
}

func finishReason(res llama.Result) *string {
	reason := "length"
	if res.Ended {
		reason = "stop"
	}
	return &reason
}

// begin makes an answer to be filled in.
func (e *endpoint) begin(model string, streamed bool) *answer {
	a := &answer{ID: e.id + rand.Text(), Object: e.object, Created: time.Now().Unix(), Model: model}
	if streamed {
		a.Object = e.part
	}
	return a
}

// whole fills in a whole answer.
func (e *endpoint) whole(a *answer, text string) {
	if e.chat {
		a.Choices[0].Message = &message{"assistant", text}
	} else {
		a.Choices[0].Text = &text
	}
}

// next fills in the next part of an answer.
func (e *endpoint) next(a *answer, text string) {
	if e.chat {
		a.Choices[0].Delta = &message{Content: text}
	} else {
		a.Choices[0].Text = &text
	}
}

// An apiError is an error as clients of OpenAI's API expect it.
type apiError struct {
	status  int
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

func invalid(message string) *apiError {
	return &apiError{http.StatusBadRequest, message, "invalid_request_error", nil, nil}
}

// envelope is what an error is sent in.
func envelope(status int, message string) any {
	e := invalid(message)
	if status >= 500 {
		e.Type = "server_error"
	}
	return envelopeOf(e)
}

func envelopeOf(e *apiError) any {
	return struct {
		Error *apiError `json:"error"`
	}{e}
}

func fail(w http.ResponseWriter, status int, message string) {
	serve.JSON(w, status, envelope(status, message))
}
