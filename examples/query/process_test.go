package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asQuery in the environment makes the test binary be the query program.
const asQuery = "HANGUP_TEST_AS_QUERY"

// A process is the program as a user runs it.
type process struct {
	*exec.Cmd
	lines  map[string]string // what it printed before it served: word and value
	stderr *bufio.Scanner
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	t.Cleanup(stop)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asQuery+"=1")
	return cmd
}

// spawn starts the program on free ports and reads what it prints.
func spawn(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: command(t, append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, args...)...), lines: make(map[string]string)}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.stderr = bufio.NewScanner(stderr)
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() }) // both fail once it has ended
	in := bufio.NewScanner(stdout)
	for _, word := range []string{"http", "https", "h3", "spki-sha256"} {
		if !in.Scan() {
			t.Fatalf("the program printed no line for %s", word)
		}
		got, value, _ := strings.Cut(in.Text(), " ")
		if got != word || value == "" {
			t.Fatalf("printed %q, want a line for %s", in.Text(), word)
		}
		p.lines[word] = value
	}
	return p
}

// ask sends a raw HTTP/1.1 request and returns its connection.
func (p *process) ask(t *testing.T, path string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(p.lines["http"], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	return nc
}

func answerOf(t *testing.T, nc net.Conn) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// running waits until the program says that n calls run.
func (p *process) running(t *testing.T, n int) {
	t.Helper()
	until(t, "the call to run", func() bool {
		_, body := answerOf(t, p.ask(t, "/debug/calls"))
		return strings.Contains(body, fmt.Sprintf(`"running":%d,`, n))
	})
}

// draining waits until the program logs that it drains.
func (p *process) draining(t *testing.T) {
	t.Helper()
	for p.stderr.Scan() {
		if strings.Contains(p.stderr.Text(), "msg=draining") {
			return
		}
	}
	t.Fatal("the program did not say that it drains")
}

func (p *process) rest() {
	for p.stderr.Scan() {
	}
}

// Addresses, an answer, a hang-up, a drain that cancels what is left, exit code 0.
func TestProcess_servesAndDrains(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := spawn(t, "-drain", "50ms")
			if status, body := answerOf(t, p.ask(t, "/query?sql=SELECT+42")); status != 200 || !strings.Contains(body, "[[42]]") {
				t.Errorf("%d %s", status, body)
			}
			hungUp := p.ask(t, queryPath(endlessSQL))
			p.running(t, 1)
			hungUp.Close()
			p.running(t, 0)
			left := p.ask(t, queryPath(endlessSQL))
			p.running(t, 1)
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if status, body := answerOf(t, left); status != 503 || !strings.Contains(body, "shutting down") {
				t.Errorf("the query that ran got %d %s", status, body)
			}
			p.rest()
			if err := p.Wait(); err != nil {
				t.Errorf("the program ended with %v", err)
			}
		})
	}
}

// Who does not want to wait for the drain sends a second signal.
func TestProcess_secondSignal(t *testing.T) {
	p := spawn(t, "-drain", "10m")
	p.ask(t, queryPath(endlessSQL))
	p.running(t, 1)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.draining(t)
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	p.rest()
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
		cmd := command(t, strings.Fields(c.args)...)
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
	if out, err := command(t, "-help").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("-tls-addr host:port")) {
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
