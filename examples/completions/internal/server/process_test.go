package server

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hangup-go/hangup/examples/completions/internal/llama"
	"github.com/hangup-go/hangup/examples/completions/internal/llamatest"
	"github.com/hangup-go/hangup/examples/internal/servetest"
)

// Addresses, an answer, a hang-up, a drain that cancels what is left, exit code 0.
func TestProcess_servesAndDrains(t *testing.T) {
	llamatest.Need(t)
	p := servetest.Spawn(t, "-drain", "50ms")
	if status, body := servetest.AnswerOf(t, p.Ask(t, "POST", "/v1/completions", short.String())); status != 200 || !strings.Contains(body, `"text":"`) {
		t.Errorf("%d %s", status, body)
	}
	hungUp := p.Ask(t, "POST", "/v1/completions", longAsk.String())
	p.Running(t, 1)
	hungUp.Close()
	p.Running(t, 0)
	left := p.Ask(t, "POST", "/v1/completions", longReply.String())
	p.Running(t, 1)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	status, body := servetest.AnswerOf(t, left)
	if status != 503 || !strings.Contains(body, "shutting down") || !strings.Contains(body, `"type":"server_error"`) {
		t.Errorf("the request that ran got %d %s", status, body)
	}
	p.Rest()
	if err := p.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

// Mistakes get one line and a code that tells them apart.
func TestProcess_mistakes(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"-nonsense", 2, "flag provided but not defined: -nonsense"},
		{"-contexts 0", 2, "-contexts must be at least 1"},
		{"-ubatch -1", 2, "-ubatch must be at least 1"},
		{"-demo-hangups 0", 2, "-demo-hangups must be at least 1"},
		{"serve", 2, `unexpected argument "serve"`},
		{"-llama /nowhere", 1, "llama.cpp is missing: examples/completions/fetch gets it"},
		{"-llama " + os.Args[0], 1, "cannot dynamically load"},
	} {
		mistake(t, c.args, c.code, c.says)
	}
	llamatest.Need(t)
	mistake(t, "-model /nowhere", 1, "loading /nowhere: ")
}

func mistake(t *testing.T, args string, code int, says string) {
	t.Helper()
	cmd := servetest.Command(t, append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, strings.Fields(args)...)...)
	cmd.Env = append(cmd.Env, llama.Variable+"="+os.Getenv(llama.Variable))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	said := stderr.String()
	if cmd.ProcessState.ExitCode() != code || !strings.HasPrefix(said, "completions: ") || !strings.Contains(said, says) || strings.Count(said, "\n") != 1 {
		t.Errorf("completions %s: code %d, said %q", args, cmd.ProcessState.ExitCode(), said)
	}
	if stdout.Len() > 0 {
		t.Errorf("completions %s: printed %q", args, stdout.String())
	}
}

// The demo shows all three protocols, in the prompt and in the answer, and finds
// nothing wrong.
func TestDemo(t *testing.T) {
	llamatest.Need(t)
	var stdout, stderr bytes.Buffer
	if code := Run([]string{"-demo", "-demo-requests", "5", "-demo-hangups", "3"}, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d, said %s", code, &stderr)
	}
	for _, line := range []string{"HTTP/1.1 prompt", "HTTP/1.1 tokens", "HTTP/2 prompt", "HTTP/2 tokens", "HTTP/3 prompt", "HTTP/3 tokens"} {
		found := false
		for have := range strings.Lines(stdout.String()) {
			found = found || strings.HasPrefix(strings.Join(strings.Fields(have), " "), line+" 5 3 3 0 ")
		}
		if !found {
			t.Errorf("no line for %s with 5 requests, 3 hang-ups, 3 stopped, 0 callbacks in\n%s", line, &stdout)
		}
	}
}
