package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/servetest"
)

// The main job, over every protocol: a prompt in, text out, whole or in parts.
func TestCompletions(t *testing.T) {
	f := start(t)
	for _, p := range servetest.EveryProtocol {
		t.Run(p.Name, func(t *testing.T) {
			c := f.Dial(t, p)
			whole := c.Must("POST", "/v1/completions", short.String())
			text := textOf(t, whole)
			if text == "" || whole.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%v %s", whole.Header, whole.Body)
			}
			for _, s := range []string{`"id":"cmpl-`, `"object":"text_completion"`, `"model":"random"`, `"index":0`, `"logprobs":null`,
				`"finish_reason":"length"`, `"usage":{"prompt_tokens":13,"completion_tokens":12,"total_tokens":25}`} {
				if !strings.Contains(whole.Body, s) {
					t.Errorf("no %s in %s", s, whole.Body)
				}
			}
			streamed := c.Must("POST", "/v1/completions", short.with("stream", true).String())
			if got := streamed.Header.Get("Content-Type"); got != "text/event-stream" {
				t.Errorf("Content-Type %q", got)
			}
			joined := ""
			list := parts(t, streamed)
			for i, a := range list {
				joined += *a.Choices[0].Text
				if done := a.Choices[0].FinishReason != nil; done != (i == len(list)-1) || a.ID != list[0].ID || a.Object != "text_completion" {
					t.Errorf("part %d: %+v", i, a)
				}
			}
			if joined != text || len(list) != 13 {
				t.Errorf("%d parts make %q, want %q", len(list), joined, text)
			}
		})
	}
}

func TestChat(t *testing.T) {
	c := start(t).Dial(t, client.HTTP1)
	ask := body{"messages": []body{{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}}, "max_completion_tokens": 5, "temperature": 0}
	whole := c.Must("POST", "/v1/chat/completions", ask.String())
	text := textOf(t, whole)
	for _, s := range []string{`"id":"chatcmpl-`, `"object":"chat.completion"`, `"message":{"role":"assistant","content":"`, `"completion_tokens":5`} {
		if !strings.Contains(whole.Body, s) {
			t.Errorf("no %s in %s", s, whole.Body)
		}
	}
	list := parts(t, c.Must("POST", "/v1/chat/completions", ask.with("stream", true).String()))
	joined := ""
	for i, a := range list {
		joined += a.Choices[0].Delta.Content
		if role := a.Choices[0].Delta.Role; (role == "assistant") != (i == 0) || a.Object != "chat.completion.chunk" {
			t.Errorf("part %d: %+v", i, a.Choices[0].Delta)
		}
	}
	if joined != text || len(list) != 7 {
		t.Errorf("%d parts make %q, want %q", len(list), joined, text)
	}
}

func TestModels(t *testing.T) {
	e := start(t).Dial(t, client.HTTP1).Must("GET", "/v1/models", "")
	if e.Status != 200 || !strings.Contains(e.Body, `"object":"list","data":[{"id":"random","object":"model","created":`) {
		t.Errorf("%d %s", e.Status, e.Body)
	}
}

// The names of control tokens in a prompt are text like any other.
func TestCompletions_controlTokens(t *testing.T) {
	e := start(t).Dial(t, client.HTTP1).Must("POST", "/v1/completions", short.with("prompt", "</s>").String())
	if !strings.Contains(e.Body, `"prompt_tokens":5,`) { // the beginning, and four bytes
		t.Errorf("%d %s", e.Status, e.Body)
	}
}

// Without a seed each answer is another.
func TestCompletions_noSeed(t *testing.T) {
	c := start(t).Dial(t, client.HTTP1)
	ask := short.with("seed", nil).String()
	if a, b := textOf(t, c.Must("POST", "/v1/completions", ask)), textOf(t, c.Must("POST", "/v1/completions", ask)); a == b {
		t.Errorf("twice %q", a)
	}
}

// What is wrong is said in the shape that clients of the API know.
func TestRequests_refused(t *testing.T) {
	c := start(t, "-tokens", "256").Dial(t, client.HTTP1)
	for _, r := range []struct {
		method, path, body string
		status             int
		kind, message      string
	}{
		{"POST", "/v1/completions", "", 400, "invalid_request_error", "unexpected end of JSON"},
		{"POST", "/v1/completions", "{", 400, "invalid_request_error", "unexpected end of JSON"},
		{"POST", "/v1/completions", "{}", 400, "invalid_request_error", "prompt is missing"},
		{"POST", "/v1/completions", `{"prompt": 1}`, 400, "invalid_request_error", "prompt"},
		{"POST", "/v1/completions", `{"prompt": "x", "max_tokens": 0}`, 400, "invalid_request_error", "max_tokens"},
		{"POST", "/v1/completions", `{"prompt": "x", "max_tokens": 1e99}`, 400, "invalid_request_error", "max_tokens"},
		{"POST", "/v1/completions", `{"prompt": "x", "temperature": 3}`, 400, "invalid_request_error", "temperature"},
		{"POST", "/v1/completions", `{"prompt": "x", "n": 2}`, 400, "invalid_request_error", "n is not supported"},
		{"POST", "/v1/completions", `{"prompt": "x", "stop": "y"}`, 400, "invalid_request_error", "stop is not supported"},
		{"POST", "/v1/completions", body{"prompt": strings.Repeat("x", 255)}.String(), 400, "invalid_request_error", "room for 256 tokens"},
		{"POST", "/v1/completions", body{"prompt": strings.Repeat("x", maxBody)}.String(), 413, "invalid_request_error", "too large"},
		{"POST", "/v1/chat/completions", `{"messages": []}`, 400, "invalid_request_error", "messages are missing"},
		{"POST", "/v1/chat/completions", `{"messages": [{"role": "user", "content": [{"type": "text"}]}]}`, 400, "invalid_request_error", "content"},
		{"POST", "/v1/chat/completions", `{"messages": [{"role": "user", "content": "a\u0000b"}]}`, 400, "invalid_request_error", "NUL"},
		{"GET", "/v1/completions", "", 405, "invalid_request_error", "the method must be POST"},
		{"POST", "/v1/models", "", 405, "invalid_request_error", "the method must be GET"},
		{"POST", "/v1/elsewhere", "", 404, "invalid_request_error", "there is no /v1/elsewhere"},
	} {
		e := c.Must(r.method, r.path, r.body)
		var a struct{ Error *apiError }
		if err := json.Unmarshal([]byte(e.Body), &a); err != nil || a.Error == nil {
			t.Errorf("%s %s %.40s: %v: %s", r.method, r.path, r.body, err, e.Body)
			continue
		}
		if e.Status != r.status || a.Error.Type != r.kind || !strings.Contains(a.Error.Message, r.message) || !strings.Contains(e.Body, `"param":null`) {
			t.Errorf("%s %s %.40s: %d %s, want %d %s with %q", r.method, r.path, r.body, e.Status, e.Body, r.status, r.kind, r.message)
		}
	}
	// "As if it were absent" is no reason to refuse.
	if e := c.Must("POST", "/v1/completions", `{"prompt": "x", "max_tokens": 1, "n": 1, "stop": null, "tools": [], "user": "me"}`); e.Status != 200 {
		t.Errorf("%d %s", e.Status, e.Body)
	}
}

// Pieces are cut anywhere; what is sent is whole characters, and nothing is lost.
func TestText(t *testing.T) {
	const whole = "aä€😀z"
	for n := 1; n <= 4; n++ {
		var held text
		joined := ""
		for rest := []byte(whole); len(rest) > 0; {
			piece := rest[:min(n, len(rest))]
			rest = rest[len(piece):]
			s := held.add(piece)
			if strings.ToValidUTF8(s, "") != s {
				t.Errorf("in pieces of %d: sent %q", n, s)
			}
			joined += s
		}
		if joined += held.rest(); joined != whole {
			t.Errorf("in pieces of %d: %q", n, joined)
		}
	}
	var held text
	if got := held.add([]byte("a\xffb\xe2\x82")) + "|" + held.rest(); got != "a\xffb|\xe2\x82" {
		t.Errorf("%q", got)
	}
}
