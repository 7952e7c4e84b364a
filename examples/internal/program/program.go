// Package program is what the example programs have in common around their
// servers.
package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Start is what a program does once its command line has been understood.
type Start func() error

// Run runs the program that the command line asks for and returns its exit code: 0
// after a drain or a demo that went well, 1 for what went wrong, 2 for a wrong
// command line. What is wrong goes to stderr, each line with the name before it.
func Run(name string, stderr io.Writer, parse func() (Start, error)) int {
	start, err := parse()
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v (see %s -help)\n", name, err, name)
		return 2
	}
	if err := start(); err != nil {
		for line := range strings.Lines(err.Error() + "\n") {
			fmt.Fprintf(stderr, "%s: %s", name, line)
		}
		return 1
	}
	return 0
}

// Flags returns an empty set of flags for Parse.
func Flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the flag package prints the whole usage for a typo
	fs.Usage = func() {}
	return fs
}

// Parse parses a command line of flags and nothing else. For -help it prints the
// usage to stderr and returns flag.ErrHelp.
func Parse(fs *flag.FlagSet, args []string, stderr io.Writer) error {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(stderr)
		fmt.Fprintf(stderr, "usage: %s [flags]\n", fs.Name())
		fs.PrintDefaults()
	case err == nil && fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return err
}
