//go:build cgo

package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/hangup-go/hangup/examples/internal/servetest"
)

// Addresses, an answer, a hang-up, a drain that cancels what is left, exit code 0.
func TestProcess_servesAndDrains(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := servetest.Spawn(t, "-drain", "50ms")
			if status, body := servetest.AnswerOf(t, p.Ask(t, "GET", "/query?sql=SELECT+42", "")); status != 200 || !strings.Contains(body, "[[42]]") {
				t.Errorf("%d %s", status, body)
			}
			hungUp := p.Ask(t, "GET", queryPath(endlessSQL), "")
			p.Running(t, 1)
			hungUp.Close()
			p.Running(t, 0)
			left := p.Ask(t, "GET", queryPath(endlessSQL), "")
			p.Running(t, 1)
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if status, body := servetest.AnswerOf(t, left); status != 503 || !strings.Contains(body, "shutting down") {
				t.Errorf("the query that ran got %d %s", status, body)
			}
			p.Rest()
			if err := p.Wait(); err != nil {
				t.Errorf("the program ended with %v", err)
			}
		})
	}
}

// Without cgo the program says what it lacks, and not "undefined".
func TestProcess_withoutCgo(t *testing.T) {
	for _, program := range []string{".", "../completions"} {
		cmd := exec.CommandContext(t.Context(), "go", "run", program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "set CGO_ENABLED=1") {
			t.Errorf("%s: %v: %s", program, err, out)
		}
	}
}

// Who does not want to wait for the drain sends a second signal.
func TestProcess_secondSignal(t *testing.T) {
	p := servetest.Spawn(t, "-drain", "10m")
	p.Ask(t, "GET", queryPath(endlessSQL), "")
	p.Running(t, 1)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.Draining(t)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.Rest()
	err := p.Wait()
	ws, ok := p.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() || ws.Signal() != syscall.SIGINT {
		t.Errorf("the program ended with %v", err)
	}
}

// Mistakes get one line and a code that tells them apart.
func TestProcess_mistakes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"-nonsense", 2, "flag provided but not defined: -nonsense"},
		{"-drain soon", 2, `invalid value "soon" for flag -drain`},
		{"-addr 8080", 2, "missing port"},
		{"-conns 0", 2, "-conns must be at least 1"},
		{"serve", 2, `unexpected argument "serve"`},
		{"-addr " + busy.Addr().String(), 1, "address already in use"},
		{"-addr 127.0.0.1:0 -tls-addr " + busy.Addr().String(), 1, "address already in use"},
		{"-cert /nowhere -key /nowhere", 1, "certificate: open /nowhere: no such file"},
	} {
		cmd := servetest.Command(t, strings.Fields(c.args)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		said := stderr.String()
		if cmd.ProcessState.ExitCode() != c.code || !strings.HasPrefix(said, "query: ") || !strings.Contains(said, c.says) || strings.Count(said, "\n") != 1 {
			t.Errorf("query %s: code %d, said %q", c.args, cmd.ProcessState.ExitCode(), said)
		}
		if stdout.Len() > 0 {
			t.Errorf("query %s: printed %q", c.args, stdout.String())
		}
	}
	if out, err := servetest.Command(t, "-help").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("-tls-addr host:port")) {
		t.Errorf("-help: %v, %s", err, out)
	}
}

// The demo shows all three protocols and finds nothing wrong.
func TestDemo(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-demo", "-demo-requests", "50", "-demo-hangups", "10"}, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d, said %s", code, &stderr)
	}
	for _, p := range []string{"HTTP/1.1", "HTTP/2", "HTTP/3"} {
		found := false
		for line := range strings.Lines(stdout.String()) {
			f := strings.Fields(line)
			found = found || len(f) > 5 && strings.Join(f[:5], " ") == p+" 50 10 10 0"
		}
		if !found {
			t.Errorf("no line for %s with 50 requests, 10 hang-ups, 10 stopped, 0 callbacks in\n%s", p, &stdout)
		}
	}
}
