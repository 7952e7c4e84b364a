//go:build linux && cgo

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on a terminal, and a line for each part of the run anywhere else.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil: no terminal
	start time.Time
	done  float64 // of the parts before
	part  float64
}

// steps is how fine the bar is.
const steps = 1000

func newProgress(f *os.File) *progress {
	p := &progress{w: f, start: time.Now()}
	if term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(steps,
			progressbar.OptionSetWriter(f), progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true),
		)
	}
	return p
}

// Begin is suite.Progress's.
func (p *progress) Begin(what string, part float64) {
	p.done, p.part = p.done+p.part, part
	if p.bar == nil {
		fmt.Fprintf(p.w, "%5.0fs %3.0f%% %s\n", time.Since(p.start).Seconds(), 100*p.done, what)
		return
	}
	p.bar.Describe(what)
	p.Step(0)
}

// Step is suite.Progress's.
func (p *progress) Step(part float64) {
	if p.bar != nil {
		_ = p.bar.Set(int(steps * min(p.done+p.part*part, 1)))
	}
}

// end clears the bar, wherever it is.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
