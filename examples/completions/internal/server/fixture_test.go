package server

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/examples/completions/internal/llamatest"
	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/demo"
	"github.com/hangup-go/hangup/examples/internal/servetest"
	"github.com/hangup-go/hangup/internal/leaktest"
)

var hangUps = flag.Int("hangup.hangups", 12, "clients that leave at random moments")

func TestMain(m *testing.M) {
	servetest.AsProgram(func() { os.Exit(Run(os.Args[1:], os.Stdout, os.Stderr)) })
	leaktest.Main(m, goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}

var protocols = []client.Protocol{client.HTTP1, client.HTTP2, client.HTTP3}

// start starts a server on free ports, with the flags in args, that ends with its test.
func start(t testing.TB, args ...string) *servetest.Fixture {
	t.Helper()
	llamatest.Need(t)
	o, err := parse(append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	events := demo.NewEvents()
	i, err := open(o, events.Trace(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	i.Start()
	t.Cleanup(func() {
		if err := i.drain(0); err != nil {
			t.Errorf("drain: %v", err)
		}
	})
	return &servetest.Fixture{Server: i.Server, Events: events}
}

// A body is a request of the random model.
type body map[string]any

func (b body) String() string {
	s, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return string(s)
}

// with is b with another field.
func (b body) with(name string, value any) body {
	out := body{name: value}
	for k, v := range b {
		if k != name {
			out[k] = v
		}
	}
	return out
}

var (
	short     = body{"prompt": "Once upon a time", "max_tokens": 12, "seed": 7}
	longAsk   = body{"prompt": longPrompt(4000), "max_tokens": 1}        // seconds of prompt
	longReply = body{"prompt": "Once", "max_tokens": 1 << 20, "seed": 1} // seconds of answer
)

// textOf is the text of an answer that was not streamed.
func textOf(t testing.TB, e servetest.Exchange) string {
	t.Helper()
	text, err := textIn(e)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return text
}

func textIn(e servetest.Exchange) (string, error) {
	var a answer
	if err := json.Unmarshal([]byte(e.Body), &a); err != nil {
		return "", err
	}
	switch c := a.Choices[0]; {
	case e.Status == 200 && c.Message != nil:
		return c.Message.Content, nil
	case e.Status == 200 && c.Text != nil:
		return *c.Text, nil
	}
	return "", errors.New("no text")
}

// parts are the events of an answer that was streamed, without [DONE].
func parts(t testing.TB, e servetest.Exchange) (list []answer) {
	t.Helper()
	events := strings.Split(strings.TrimSuffix(e.Body, "\n\n"), "\n\n")
	for i, event := range events {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			t.Fatalf("an event %q", event)
		}
		if i == len(events)-1 {
			if data != "[DONE]" {
				t.Errorf("the last event is %q", data)
			}
			return list
		}
		var a answer
		if err := json.Unmarshal([]byte(data), &a); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		list = append(list, a)
	}
	return list
}
