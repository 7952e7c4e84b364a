package server

import (
	"encoding/json"
	"net/http"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
)

// ahead is how many tokens C may be ahead of a client that reads slowly. Then it waits.
const ahead = 16

// stream answers token by token. The call is stopped when r's client leaves, and
// when a send to it fails.
func (a *api) stream(w http.ResponseWriter, r *http.Request, e *endpoint, q llama.Request) {
	var res llama.Result
	var held text
	pieces := native.Stream(r.Context(), &a.engine.Pool, ahead, func(c *native.Call, send func(string) bool) (err error) {
		res, err = a.answer(c, r, q, func(piece []byte) bool {
			whole := held.add(piece)
			return whole == "" || send(whole)
		})
		return err
	})
	s := &sender{endpoint: e, part: e.begin(a.engine.Name, true), w: w, r: r}
	for whole, err := range pieces {
		if err == nil {
			err = s.say(whole)
		}
		switch {
		case err != nil && s.events == nil:
			a.refuse(w, err) // before the first token: it can have a status of its own
			return
		case err != nil:
			_ = s.send(envelopeOf(errorOf(err)))
			return // the call has ended, or does now, before the loop is left
		}
	}
	_ = s.end(held.rest(), res) // if it fails, nobody is there to be told
}

// A sender sends an answer as server-sent events.
type sender struct {
	*endpoint
	part   *answer
	w      http.ResponseWriter
	r      *http.Request
	events *httpwire.Stream[httpwire.Event] // from the first token on
}

// say sends a part of the answer. It returns when the client's side has taken it.
func (s *sender) say(text string) error {
	if err := s.open(); err != nil || text == "" {
		return err
	}
	s.next(s.part, text)
	return s.send(s.part)
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

// end sends the last of the text, the reason for the end, and the end.
func (s *sender) end(text string, res llama.Result) error {
	if err := s.say(text); err != nil {
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
