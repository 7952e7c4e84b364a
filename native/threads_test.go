//go:build cgo

package native_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// N7: a flood of blocked calls kills a plain program, which runs out of threads; in the default
// pool it queues, and all are made. Child processes, with a limit of 200 threads
// in place of 10,000.
func TestPool_threads(t *testing.T) {
	const limit, calls = 200, 500
	if kind := os.Getenv("HANGUP_FLOOD"); kind != "" {
		debug.SetMaxThreads(limit)
		flood(t, kind == "pooled", calls)
		return
	}
	for kind, want := range map[string]struct {
		code int
		text string
	}{
		"plain":  {2, "thread exhaustion"},
		"pooled": {0, fmt.Sprintf("%d calls made", calls)},
	} {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPool_threads$", "-test.v")
		cmd.Env = append(os.Environ(), "HANGUP_FLOOD="+kind)
		out, err := cmd.CombinedOutput()
		code := 0
		if ee := (*exec.ExitError)(nil); errors.As(err, &ee) {
			code = ee.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want.code || !bytes.Contains(out, []byte(want.text)) {
			t.Errorf("%s: exit status %d, want %d and %q:\n%.2000s", kind, code, want.code, want.text, out)
		}
	}
}

// flood makes n calls that sleep in C until all of them are there, inside or in
// line.
func flood(t *testing.T, pooled bool, n int) {
	var open cancel.Token
	gate := open.Flag().Pointer()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if !pooled {
				nativetest.Sleep(gate, long, nil)
				return
			}
			native.Do(context.Background(), func(*native.Call) (int, error) {
				return 0, nativetest.Sleep(gate, long, nil)
			})
		})
	}
	if !pooled {
		wg.Wait() // does not get here
	}
	eventually(t, "all calls", func() bool {
		s := native.ReadStats()
		return s.Running+uint64(s.Queued) == uint64(n)
	})
	open.Cancel(nil)
	wg.Wait()
	s := native.ReadStats()
	fmt.Printf("%d calls made, %d goroutines, %d waited for %v at most\n", s.Completed, s.Workers, s.Waited, s.WaitMax)
}
