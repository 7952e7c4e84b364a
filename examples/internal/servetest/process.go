package servetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asProgram in the environment makes the test binary be the program.
const asProgram = "HANGUP_TEST_AS_PROGRAM"

// AsProgram runs main, and does not return, in a process that Command has started. It is
// for the beginning of TestMain.
func AsProgram(main func()) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
}

// Command is the program as a user runs it.
func Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(stop)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// A Process is a program that serves.
type Process struct {
	*exec.Cmd
	lines  map[string]string // what it printed before it served: word and value
	stderr *bufio.Scanner
}

// Spawn starts the program on free ports and reads what it prints.
func Spawn(t *testing.T, args ...string) *Process {
	t.Helper()
	p := &Process{Cmd: Command(t, append([]string{"-addr", "127.0.0.1:0", "-tls-addr", "127.0.0.1:0"}, args...)...), lines: make(map[string]string)}
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

// Ask sends a raw HTTP/1.1 request and returns its connection.
func (p *Process) Ask(t *testing.T, method, path, body string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(p.lines["http"], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	fmt.Fprintf(nc, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
	return nc
}

// AnswerOf reads the answer to Ask.
func AnswerOf(t *testing.T, nc net.Conn) (int, string) {
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

// Running waits until the program says that n calls run.
func (p *Process) Running(t *testing.T, n int) {
	t.Helper()
	Until(t, "the call to run", func() bool {
		_, body := AnswerOf(t, p.Ask(t, "GET", "/debug/calls", ""))
		return strings.Contains(body, fmt.Sprintf(`"running":%d,`, n))
	})
}

// Draining waits until the program logs that it drains.
func (p *Process) Draining(t *testing.T) {
	t.Helper()
	for p.stderr.Scan() {
		if strings.Contains(p.stderr.Text(), "msg=draining") {
			return
		}
	}
	t.Fatal("the program did not say that it drains")
}

// Rest reads what the program still has to say.
func (p *Process) Rest() {
	for p.stderr.Scan() {
	}
}
