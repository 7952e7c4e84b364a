package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
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
		var out strings.Builder
		if _, err := parse(strings.Fields(args), &out); err == nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, %q; want %q", args, err, out.String(), want)
		}
	}
}

func TestRun_unwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	others := t.TempDir()
	if err := os.WriteFile(filepath.Join(others, "README.md"), []byte("# Another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // what goes on to measure ends at once, with another error
	for what, o := range map[string]*options{
		"-out":     {out: filepath.Join(file, "results")},
		"-out: ":   {out: others},
		"-compare": {compare: file},
		"-readme":  {out: t.TempDir(), readme: file},
	} {
		if err := run(ctx, o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A run that is interrupted writes nothing.
func TestRun_interrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, &options{quick: true, out: dir}); err == nil {
		t.Error("no error")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
}
