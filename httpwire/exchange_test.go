package httpwire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An exchange is what a client sends on HTTP/1.1, what the handler has done by
// then, and what happens next: a file of ../testdata/http1, whose README
// describes the format.
type exchange struct {
	name    string
	handler []string
	then    string
	sent    string   // with {path}
	read    []string // status lines
	unseen  []string // endings that nothing shows
}

const exchangeDir = "../testdata/http1"

// exchanges returns those that go on in the given way.
func exchanges(t testing.TB, then string) (list []exchange) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(exchangeDir, "*.txt"))
	must(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		must(t, err)
		x, err := parseExchange(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if x.name = strings.TrimSuffix(filepath.Base(name), ".txt"); x.then == then {
			list = append(list, x)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no exchange in %s %q", exchangeDir, then)
	}
	return list
}

// parseExchange reads the format that testdata/http1/README.md describes.
func parseExchange(text string) (x exchange, err error) {
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch key, value, _ := strings.Cut(line, " "); key {
		case "#":
		case "handler:":
			x.handler = strings.Split(value, ", ")
		case "then:":
			x.then = value
		case "unseen:":
			x.unseen = strings.Split(value, ", ")
		case "<":
			x.read = append(x.read, value)
		case ">":
			sent, err := unescape(value)
			if err != nil {
				return x, fmt.Errorf("line %d: %w", i+1, err)
			}
			x.sent += sent
		default:
			return x, fmt.Errorf("line %d: %q is nothing of the format", i+1, line)
		}
	}
	return x, x.valid()
}

func (x *exchange) valid() error {
	switch {
	case !slices.Contains([]string{"leaves", "stays", "refused"}, x.then):
		return fmt.Errorf("then: %q", x.then)
	case x.sent == "":
		return errors.New("nothing is sent")
	case len(x.handler) == 0:
		return errors.New("no handler")
	}
	for _, word := range x.handler {
		if _, ok := handlers[word]; !ok {
			return fmt.Errorf("handler: %q", word)
		}
	}
	return nil
}

// unescape returns what a line stands for.
func unescape(line string) (string, error) {
	end := "\r\n"
	if n := len(line) - len(strings.TrimRight(line, `\`)); n%2 == 1 {
		line, end = line[:len(line)-1], ""
	}
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
	return s + end, err
}

// handlers are the words for what a handler does before it waits.
var handlers = map[string]func(w http.ResponseWriter, r *http.Request) error{
	"none":              nil,
	"waits":             func(http.ResponseWriter, *http.Request) error { return nil },
	"reads all":         readAll,
	"reads 5":           readFive,
	"reads on":          readOn,
	"reads to an error": readToError,
	"full duplex":       fullDuplex,
	"answers header":    begin,
	"answers 102":       interim,
}

func (x *exchange) none() bool { return x.handler[0] == "none" }

// do does what the exchange's handler does before it waits.
func (x *exchange) do(w http.ResponseWriter, r *http.Request) error {
	for _, word := range x.handler {
		if err := handlers[word](w, r); err != nil {
			return err
		}
	}
	return nil
}

func readAll(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

func readFive(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.ReadFull(r.Body, make([]byte, 5))
	return err
}

// readOn reads while the handler waits, and until it returns.
func readOn(_ http.ResponseWriter, r *http.Request) error {
	go io.Copy(io.Discard, r.Body) //nolint:errcheck // it ends with the request
	return nil
}

func readToError(_ http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		return errors.New("a malformed body was read")
	}
	return nil
}

func fullDuplex(w http.ResponseWriter, _ *http.Request) error {
	return http.NewResponseController(w).EnableFullDuplex()
}

func begin(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusOK)
	return http.NewResponseController(w).Flush()
}

func interim(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusProcessing)
	return nil
}

// A h1client is one connection of HTTP/1.1.
type h1client struct {
	io.Reader // what the server has sent
	io.Writer
}

// read1 reads the next response, which has to have this status line, and its body
// if whole is set.
func (c h1client) read1(t testing.TB, line string, whole bool) {
	t.Helper()
	res, err := http.ReadResponse(c.Reader.(*bufio.Reader), nil)
	if err != nil {
		t.Fatalf("response: %v, want %s", err, line)
	}
	if got := res.Proto + " " + res.Status; got != line {
		t.Errorf("status line %q, want %q", got, line)
	}
	if whole {
		_, err = io.Copy(io.Discard, res.Body)
		must(t, err)
	}
}

// The format is what its README says, and no mistake in a file goes unnoticed.
func TestExchange_format(t *testing.T) {
	x, err := parseExchange("# a row\nhandler: waits, reads 5\nthen: stays\n> GET {path}\n>\n> \\x00\"\\\\\\\n< HTTP/1.1 200 OK\n")
	want := exchange{handler: []string{"waits", "reads 5"}, then: "stays", sent: "GET {path}\r\n\r\n\x00\"\\", read: []string{"HTTP/1.1 200 OK"}}
	if err != nil || fmt.Sprint(x) != fmt.Sprint(want) {
		t.Errorf("got %q, %v, want %q", x, err, want)
	}
	for _, bad := range []string{
		"", "then: stays\n> x", "handler: waits\n> x", "handler: waits\nthen: stays", "handler: waits\nthen: sways\n> x",
		"handler: weights\nthen: stays\n> x", "handler: waits\nthen: stays\n> x\nGET /", "handler: waits\nthen: stays\n> \\xgg",
	} {
		if _, err := parseExchange(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
