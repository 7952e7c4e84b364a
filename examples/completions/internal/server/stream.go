package server

import (
	"encoding/json"
	"net/http"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/httpwire"
)

// stream answers token by token.
func (a *api) stream(w http.ResponseWriter, r *http.Request, e *endpoint, q llama.Request) {
	s := &sender{endpoint: e, part: e.begin(a.engine.Name, true), w: w, r: r}
	res, err := a.run(r, q, s.piece)
	switch {
	case err == nil:
		_ = s.end(res) // what fails here, the client has not waited for
	case s.events == nil:
		a.refuse(w, err) // before the first token: it can have a status of its own
	default:
		_ = s.send(envelopeOf(errorOf(err)))
	}
}

// A sender sends an answer as server-sent events.
type sender struct {
	*endpoint
	part   *answer
	text   text
	w      http.ResponseWriter
	r      *http.Request
	events *httpwire.Stream[httpwire.Event] // from the first token on
}

// piece sends a token's text. It returns when the client's side has taken it, so
// C waits for clients that read slowly; with an error when the client has left.
func (s *sender) piece(b []byte) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.say(s.text.add(b))
}

func (s *sender) open() (err error) {
	if s.events != nil {
		return nil
	}
	s.events, err = httpwire.NewEventStream(s.w, s.r, nil)
	if err != nil || !s.chat {
		return err
	}
	s.part.Choices[0].Delta = &message{Role: "assistant"}
	return s.send(s.part)
}

func (s *sender) say(text string) error {
	if text == "" {
		return nil
	}
	s.next(s.part, text)
	return s.send(s.part)
}

// end sends what was held back, the reason for the end, and the end.
func (s *sender) end(res llama.Result) error {
	if err := s.open(); err != nil { // an answer of no tokens
		return err
	}
	if err := s.say(s.text.rest()); err != nil {
		return err
	}
	s.next(s.part, "")
	s.part.Choices[0].FinishReason = finishReason(res)
	if err := s.send(s.part); err != nil {
		return err
	}
	return s.events.Emit(httpwire.Event{Data: "[DONE]"})
}

func (s *sender) send(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.events.Emit(httpwire.Event{Data: string(data)})
}
