package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/bench/internal/client"
	"github.com/hangup-go/hangup/bench/internal/report"
	"github.com/hangup-go/hangup/bench/internal/result"
)

func TestMain(m *testing.M) {
	if client.IsChild() {
		client.Main()
		return
	}
	os.Exit(m.Run())
}

// The README's figures are those of the results that are kept, whose own README and plots are there too.
func TestReadme_isOfTheResults(t *testing.T) {
	res, err := result.Read("results/results.json")
	if err != nil {
		t.Fatal(err)
	}
	if res.Quick {
		t.Error("the results that are kept are of a quick look")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := report.Splice(readme, res)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readme, want) {
		t.Error("README.md has other figures than results/results.json: go -C bench run . -from results/results.json -out results -readme")
	}
	page, err := os.ReadFile("results/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, report.Page(res)) {
		t.Error("results/README.md has other figures than results/results.json: go -C bench run . -from results/results.json -out results -readme")
	}
	plots, err := report.Plots(res)
	if err != nil {
		t.Fatal(err)
	}
	for name := range plots {
		if _, err := os.Stat(filepath.Join("results", name)); err != nil {
			t.Error(err)
		}
	}
}

// What can't be done is said before anything is measured.
func TestOptions_wrong(t *testing.T) {
	for args, want := range map[string]string{
		"now":                   `unknown argument "now"`,
		"-slow":                 "not defined: -slow",
		"-quick -from x.json":   "-quick measures",
		"-for 10s":              "takes a minute at least",
		"-for 2m -quick":        "not with -quick",
		"-readme -quick":        "give that too",
		"-readme -from x -out=": "give that too",
		"-for soon":             "invalid value",
		"-compare":              "needs an argument",
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", args, err, want)
		}
	}
}

// Help is asked for and comes on stdout; a typo is one line on stderr; an error says where a file was looked for.
func TestProgram_says(t *testing.T) {
	for args, want := range map[string]struct {
		code        int
		out, errors string // regular expressions
	}{
		"-h":           {0, "bench measures .*paths begin in bench.*-quick.*", ""},
		"-quik":        {2, "", `bench: flag provided but not defined: -quik \(see bench -help\)\n`},
		"-from x.json": {1, "", `bench: open /.*bench/x\.json: no such file or directory\n`},
	} {
		var out, errors strings.Builder
		code := program(t.Context(), strings.Fields(args), &out, &errors)
		like := func(s, expr string) bool { return regexp.MustCompile("(?s)^" + expr + "$").MatchString(s) }
		if code != want.code || !like(out.String(), want.out) || !like(errors.String(), want.errors) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %v", args, code, out.String(), errors.String(), want)
		}
	}
}

func TestRun_unwritable(t *testing.T) {
	file := dirOf(t, "file", "") + "/file"
	page := string(report.Page(new(result.Results)))
	ctx, stop := context.WithCancel(t.Context())
	stop() // what goes on to measure ends at once, with another error
	for _, c := range []struct {
		want string
		o    options
	}{
		{"-out: ", options{out: file + "/results"}},
		{"README.md is not of a run", options{out: dirOf(t, "README.md", "# Another\n")}},
		{"results.json has format 0", options{out: dirOf(t, "README.md", page, "results.json", "{}")}},
		{"has files", options{out: dirOf(t, "calls.svg", "")}},
		{"canceled", options{out: dirOf(t, "README.md", page, "calls.svg", "")}}, // an earlier run's
		{"canceled", options{out: t.TempDir() + "/a/new/one"}},
		{"no measurements", options{from: dirOf(t, "x.json", `{"format":1}`) + "/x.json"}},
		{"-compare", options{compare: file}},
		{"-readme", options{out: t.TempDir(), readme: file}},
	} {
		if err := run(ctx, &c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// dirOf returns a new directory with files: a name, what it has, and so on.
func dirOf(t *testing.T, files ...string) string {
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Without cgo the program says what it lacks.
func TestProgram_withoutCgo(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "set CGO_ENABLED=1") {
		t.Errorf("%v: %s", err, out)
	}
}

// A run that is interrupted writes nothing, not even a directory.
func TestRun_interrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, &options{quick: true, out: dir}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", dir, err)
	}
}
