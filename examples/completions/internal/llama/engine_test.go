package llama_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/completions/internal/llamatest"
	"github.com/hangup-go/hangup/internal/leaktest"
	"github.com/hangup-go/hangup/native"
)

func TestMain(m *testing.M) {
	leaktest.Main(m, goleak.IgnoreAnyFunction("github.com/hangup-go/hangup/native.(*worker).loop"))
}

// patience bounds every wait.
const patience = 30 * time.Second

func newEngine(t *testing.T, change func(*llama.Options)) *llama.Engine {
	t.Helper()
	llamatest.Need(t)
	o := llamatest.Options()
	if change != nil {
		change(&o)
	}
	e, err := llama.NewEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// answer makes an answer in e's pool.
func answer(ctx context.Context, e *llama.Engine, r llama.Request, emit func([]byte) bool) error {
	_, err := native.DoIn(ctx, &e.Pool, func(c *native.Call) (llama.Result, error) { return e.Answer(c, r, emit) })
	return err
}

// N1, N7: as many answers as contexts at once; who leaves the line never gets to C, and
// who finds it full is told.
func TestEngine_line(t *testing.T) {
	e := newEngine(t, func(o *llama.Options) { o.Queue = 1 })
	inside, release := make(chan struct{}, 1), make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	defer free() // the engine ends with the test, whatever has gone wrong
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		first <- answer(t.Context(), e, inAnswer, func([]byte) bool {
			select {
			case inside <- struct{}{}:
				<-release
			default:
			}
			return true
		})
	}()
	wait(t, inside, "the first answer to begin")
	ctx, leave := context.WithCancelCause(t.Context())
	go func() {
		second <- answer(ctx, e, inAnswer, func([]byte) bool { t.Error("reached C"); return false })
	}()
	for deadline := time.Now().Add(patience); e.Pool.Stats().Queued == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for the second answer to wait", patience)
		}
	}
	if err := answer(t.Context(), e, inAnswer, nil); !errors.Is(err, native.ErrPoolFull) {
		t.Errorf("the third: %v", err)
	}
	gone := errors.New("gone")
	leave(gone)
	var stopped *native.Error
	if err := wait(t, second, "the second to leave"); !errors.As(err, &stopped) || stopped.Err != nil || !errors.Is(err, gone) {
		t.Errorf("the second: %v, want a call never made", err)
	}
	free()
	if err := wait(t, first, "the first answer"); err != nil {
		t.Error(err)
	}
	if s := e.Pool.Stats(); s.Started != 1 || s.Completed != 1 || s.Left != 1 || s.Rejected != 1 {
		t.Errorf("%+v", s)
	}
}

func wait[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// The real word: a context that is done stops the answer in the prompt, with the cause.
func TestEngine_cancelInPrompt(t *testing.T) {
	e := newEngine(t, nil)
	enough := errors.New("enough")
	ctx, stop := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, enough)
	defer stop()
	long := llama.Request{Prompt: llamatest.Prompt(4000), MaxTokens: 1} // takes seconds
	err := answer(ctx, e, long, func([]byte) bool { t.Error("the prompt was done"); return false })
	if !errors.Is(err, llama.ErrAborted) || !errors.Is(err, enough) {
		t.Errorf("%v, want llama.cpp's own word and the cause", err)
	}
	if err := answer(t.Context(), e, next, func([]byte) bool { return true }); err != nil {
		t.Errorf("the next answer: %v", err)
	}
}

// A panic in emit reaches the caller, and the context is there for the next.
func TestEngine_panic(t *testing.T) {
	e := newEngine(t, nil)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = answer(t.Context(), e, inAnswer, func([]byte) bool { panic("emit") })
	}()
	if err := answer(t.Context(), e, next, func([]byte) bool { return true }); err != nil {
		t.Errorf("the next answer: %v", err)
	}
}

func TestModel_text(t *testing.T) {
	e := newEngine(t, nil)
	const text = "ba du, Ärger 你好\n\x00!"
	tokens, err := e.Model.Tokenize(text, false)
	if err != nil {
		t.Fatal(err)
	}
	var back []byte
	for _, token := range tokens[1:] { // the first one is the beginning of the text
		back = e.Model.AppendPiece(back, token)
	}
	if diff := cmp.Diff(text, string(back)); diff != "" {
		t.Error(diff)
	}
	if empty, err := e.Model.Tokenize("", false); err != nil || len(empty) != 1 {
		t.Errorf("no text: %v, %v", empty, err)
	}
	plain, err1 := e.Model.Tokenize("</s>", false)
	control, err2 := e.Model.Tokenize("</s>", true)
	if err1 != nil || err2 != nil || len(plain) != 5 || len(control) != 2 || !e.Model.Ends(control[1]) || e.Model.Ends(plain[1]) {
		t.Errorf("</s> as text %v, as a control token %v; %v, %v", plain, control, err1, err2)
	}
	chat, err := e.Model.Chat([]llama.Message{{Role: "user", Content: "hi"}, {Role: "assistant", Content: strings.Repeat("long ", 1000)}})
	if err != nil || !strings.HasPrefix(chat, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nlong") || !strings.HasSuffix(chat, "<|im_start|>assistant\n") {
		t.Errorf("%.100q, %v", chat, err)
	}
}

// What can't be loaded says why.
func TestErrors(t *testing.T) {
	llamatest.Need(t)
	dir := t.TempDir()
	garbage := filepath.Join(dir, "libllama.so")
	if err := os.WriteFile(garbage, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := llama.Load(garbage); err == nil || !strings.Contains(err.Error(), "magic") {
		t.Errorf("a file that is no model: %v", err)
	}
	if _, err := llama.Load("/nowhere"); err == nil || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("a file that is not there: %v", err)
	}
	for path, says := range map[string]string{"/nowhere": "fetch gets it", t.TempDir(): "no libllama.so in", dir: "is loaded already"} {
		if err := llama.Open(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
