package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"

	"github.com/hangup-go/hangup/examples/internal/demo"
)

// runDemo serves on free ports, drives the server, and prints the table. The
// error says what the table shows to be wrong.
func runDemo(o *options, stdout, stderr io.Writer) error {
	o.serve.Addr, o.serve.TLSAddr = "127.0.0.1:0", "127.0.0.1:0"
	events := demo.NewEvents()
	i, err := open(o, events.Trace(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return demo.Run(i.Server, i.drain, demo.Target{
		Events: events,
		Quick:  completion(map[string]any{"prompt": "Once", "max_tokens": 4}),
		Endless: []demo.Case{
			{Name: "prompt", Request: completion(map[string]any{"prompt": longPrompt(i.engine.Size() - 2), "max_tokens": 1})},
			{Name: "tokens", Request: completion(map[string]any{"prompt": "Once", "max_tokens": 1 << 20, "stream": true}), Began: true},
		},
	}, o.demo.Size, stdout, stderr)
}

func completion(body map[string]any) demo.Request {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return demo.Request{Method: "POST", Path: "/v1/completions", Body: string(b)}
}

// longPrompt has at most so many tokens, and with the random model, which knows
// its letters one by one, as many.
func longPrompt(tokens int) string { return strings.Repeat("x", tokens-1) }
