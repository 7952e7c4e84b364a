package server

import (
	"context"
	"errors"
	"io"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/servetest"
)

// A client library of OpenAI's API understands the answers, the streams and the errors,
// and its way of leaving stops the call.
func TestOpenAIClient(t *testing.T) {
	f := start(t, "-contexts", "1")
	config := openai.DefaultConfig("no key")
	config.BaseURL = client.HTTP1.URL(f.Sockets) + "/v1"
	c := openai.NewClientWithConfig(config)
	ctx, stop := context.WithTimeout(t.Context(), servetest.Patience)
	defer stop()

	models, err := c.ListModels(ctx)
	if err != nil || len(models.Models) != 1 || models.Models[0].ID != "random" {
		t.Errorf("models %+v, %v", models, err)
	}
	seed := 7
	text, err := c.CreateCompletion(ctx, openai.CompletionRequest{Model: "random", Prompt: "Once", MaxTokens: 5, Seed: &seed})
	if err != nil || len(text.Choices) != 1 || text.Choices[0].Text == "" || text.Choices[0].FinishReason != "length" || text.Usage.CompletionTokens != 5 {
		t.Errorf("completion %+v, %v", text, err)
	}
	chat := openai.ChatCompletionRequest{Model: "random", Seed: &seed, MaxCompletionTokens: 5, Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "hi"}}}
	whole, err := c.CreateChatCompletion(ctx, chat)
	if err != nil || whole.Choices[0].Message.Role != "assistant" || whole.Choices[0].FinishReason != openai.FinishReasonLength {
		t.Fatalf("chat %+v, %v", whole, err)
	}
	s, err := c.CreateChatCompletionStream(ctx, chat)
	if err != nil {
		t.Fatal(err)
	}
	joined := ""
	for {
		part, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		joined += part.Choices[0].Delta.Content
	}
	if s.Close(); joined != whole.Choices[0].Message.Content {
		t.Errorf("streamed %q, whole %q", joined, whole.Choices[0].Message.Content)
	}

	chat.N = 2
	var refused *openai.APIError
	if _, err := c.CreateChatCompletion(ctx, chat); !errors.As(err, &refused) || refused.HTTPStatusCode != 400 || refused.Type != "invalid_request_error" || refused.Message != "n is not supported" {
		t.Errorf("refused with %v", err)
	}

	// It leaves the streams above at [DONE], without waiting for their end.
	servetest.Until(t, "the handlers to return", func() bool { return f.Inside() == 0 })
	before := f.Calls()
	chat.N, chat.MaxCompletionTokens = 1, 1<<20
	long, err := c.CreateChatCompletionStream(ctx, chat)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.Recv(); err != nil {
		t.Error(err)
	}
	long.Close()
	servetest.Until(t, "the handler to return", func() bool { return f.Inside() == 0 })
	if now := f.Calls(); now.Cancelled-before.Cancelled != 1 || servetest.Total(now.Disconnects)-servetest.Total(before.Disconnects) != 1 {
		t.Errorf("before %+v, now %+v", before, now)
	}
}
