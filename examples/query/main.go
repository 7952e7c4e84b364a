//go:build cgo

// Query is a server over SQLite that stops a query when its client hangs up.
//
//	POST /query              the SQL is the body; GET or POST /query?sql=... does as well
//	GET|POST /spin?ms=N      compute for N milliseconds; with read=1 the body is read meanwhile
//	GET /debug/calls         what runs, what was stopped, who left
//	GET /healthz
//
// Before it serves the first request it prints four lines to standard output,
// each a word and a value: its addresses, and the hash of the certificate's
// public key as Chromium's --ignore-certificate-errors-spki-list takes it.
//
//	http http://127.0.0.1:8080
//	https https://127.0.0.1:8443
//	h3 https://127.0.0.1:8443
//	spki-sha256 4sjqJ8+QlyMcxZY9bc5qWq6rQuxSKooH7FS9iw2lz84=
//
// SIGINT and SIGTERM drain it: nobody is let in, who is inside gets -drain to
// end and is then cancelled with a 503. A second signal ends it at once. The exit
// code is 0 after a drain, 1 for what went wrong, 2 for a wrong command line.
//
// With -demo it runs clients of its own instead, hangs up on itself over
// HTTP/1.1, HTTP/2 and HTTP/3, and prints a table.
package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/hangup-go/hangup/examples/internal/program"
	"github.com/hangup-go/hangup/examples/internal/serve"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with an exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return program.Run("query", stderr, func() (program.Start, error) {
		o, err := parse(args, stderr)
		if err != nil {
			return nil, err
		}
		if o.demo.On {
			return func() error { return runDemo(o, stdout, stderr) }, nil
		}
		return func() error { return serveUntilSignal(o, stdout, stderr) }, nil
	})
}

func serveUntilSignal(o *options, stdout, stderr io.Writer) error {
	i, err := open(o, serve.Trace{}, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	if err := i.Run(stdout, o.serve.Drain); err != nil {
		return err
	}
	return i.store.Close()
}
