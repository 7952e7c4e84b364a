package llama_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/completions/internal/llamatest"
)

var aborts = flag.Int("hangup.aborts", 10, "aborts in the prompt, and as many in the answer")

// A bench is a model and a context, without pool and server.
type bench struct {
	model   *llama.Model
	context *llama.Context
	polls   *llamatest.Polls
}

func newBench(t testing.TB) *bench {
	t.Helper()
	llamatest.Need(t)
	e, err := llama.NewEngine(llamatest.Options())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{e.Model, fresh(t, e.Model), llamatest.NewPolls()}
	t.Cleanup(func() {
		b.polls.Free()
		b.context.Free()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func fresh(t testing.TB, m *llama.Model) *llama.Context {
	t.Helper()
	o := llamatest.Options()
	c, err := m.NewContext(o.Tokens, o.Ubatch, o.Threads)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// on makes an answer on c, whose question number trip sets the word.
func (b *bench) on(c *llama.Context, r llama.Request, trip int) (string, llama.Result, error) {
	var text strings.Builder
	b.polls.Reset(trip)
	abort, data := b.polls.Callback()
	res, err := llama.AnswerOn(c, r, abort, data, func(p []byte) bool {
		text.Write(p)
		return true
	})
	return text.String(), res, err
}

func (b *bench) must(t *testing.T, c *llama.Context, r llama.Request) string {
	t.Helper()
	text, _, err := b.on(c, r, 0)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// onFresh makes it on a context that nobody has used.
func (b *bench) onFresh(t *testing.T, r llama.Request) string {
	t.Helper()
	c := fresh(t, b.model)
	defer c.Free()
	return b.must(t, c, r)
}

var (
	inPrompt = llama.Request{Prompt: llamatest.Prompt(192), MaxTokens: 2, Temperature: 1, Seed: 1}
	inAnswer = llama.Request{Prompt: llamatest.Prompt(3), MaxTokens: 40, Temperature: 1, Seed: 2}
	next     = llama.Request{Prompt: llamatest.Prompt(40), MaxTokens: 10, Temperature: 1, Seed: 3}
)

// N4, N5: wherever the word is set, in the prompt or in the answer, the next
// question stops the decode, no other is asked, and what comes next on the same
// context is what a fresh one gives.
func TestAnswer_stopsAnywhere(t *testing.T) {
	b := newBench(t)
	want := b.onFresh(t, next)
	for name, r := range map[string]llama.Request{"prompt": inPrompt, "answer": inAnswer} {
		t.Run(name, func(t *testing.T) {
			whole := b.must(t, b.context, r)
			questions := b.polls.Asked()
			if questions < 100 {
				t.Fatalf("only %d questions", questions)
			}
			for i := range *aborts {
				trip := 1 + rand.IntN(questions)
				if i == 0 {
					trip = questions // the last one
				}
				part, _, err := b.on(b.context, r, trip)
				if !errors.Is(err, llama.ErrAborted) || b.polls.Asked() != trip || !strings.HasPrefix(whole, part) || part == whole {
					t.Errorf("set at question %d: stopped at %d with %v and %q of %q", trip, b.polls.Asked(), err, part, whole)
				}
				if got := b.must(t, b.context, next); got != want {
					t.Errorf("after question %d of %d the next answer is\n%q, on a fresh context\n%q", trip, questions, got, want)
				}
			}
		})
	}
}

// A word that was set before: nothing is computed.
func TestAnswer_setBefore(t *testing.T) {
	b := newBench(t)
	if text, res, err := b.on(b.context, inPrompt, 1); !errors.Is(err, llama.ErrAborted) || b.polls.Asked() != 1 || res.Tokens != 0 || text != "" {
		t.Errorf("%q, %+v, %v after %d questions", text, res, err, b.polls.Asked())
	}
}

// N3, N4: the word of an answer that has ended stops nothing, and is not read.
func TestAnswer_lateCancelStopsNothing(t *testing.T) {
	b := newBench(t)
	b.must(t, b.context, inAnswer)
	asked := b.polls.Asked()
	b.polls.Set()
	if err := b.context.Decode(llamatest.Prompt(1)...); err != nil || b.polls.Asked() != asked {
		t.Errorf("%v, and %d questions more", err, b.polls.Asked()-asked)
	}
}

// Who wants no more gets no more; the context is as good as new.
func TestAnswer_emitStops(t *testing.T) {
	b := newBench(t)
	want := b.onFresh(t, next)
	abort, data := b.polls.Callback()
	b.polls.Reset(0)
	res, err := llama.AnswerOn(b.context, inAnswer, abort, data, func([]byte) bool { return false })
	if err != llama.ErrAborted || res.Tokens != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	if got := b.must(t, b.context, next); got != want {
		t.Errorf("the next answer is %q, want %q", got, want)
	}
}

func TestAnswer_sameSeedSameAnswer(t *testing.T) {
	b := newBench(t)
	other, greedy := next, next
	other.Seed++
	greedy.Temperature = 0
	first := b.must(t, b.context, next)
	if again := b.must(t, b.context, next); again != first {
		t.Errorf("%q, then %q", first, again)
	}
	if b.must(t, b.context, other) == first || b.must(t, b.context, greedy) == first {
		t.Error("another seed or temperature gave the same answer")
	}
	other.Temperature = 0
	if b.must(t, b.context, greedy) != b.must(t, b.context, other) {
		t.Error("the likeliest tokens depend on the seed")
	}
}

// An answer ends where its context does.
func TestAnswer_fullContext(t *testing.T) {
	b := newBench(t)
	c, err := b.model.NewContext(256, 64, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Free()
	r := llama.Request{Prompt: llamatest.Prompt(250), MaxTokens: 100}
	// The last token that was chosen needs no room.
	if _, res, err := b.on(c, r, 0); err != nil || res.Tokens != c.Size()-250+1 || res.Ended {
		t.Errorf("%+v, %v", res, err)
	}
}
