//go:build cgo

package native_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/native"
)

// labelsOf returns the profiler labels of the goroutine that is in function name, as the
// goroutine profile has them, "" for none.
func labelsOf(t *testing.T, name string) string {
	t.Helper()
	var buf bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&buf, 1); err != nil {
		t.Fatal(err)
	}
	for record := range strings.SplitSeq(buf.String(), "\n\n") {
		if !strings.Contains(record, name) {
			continue
		}
		_, labels, _ := strings.Cut(record, "# labels: ")
		labels, _, _ = strings.Cut(labels, "\n")
		return labels
	}
	t.Fatalf("no goroutine is in %s", name)
	return ""
}

//go:noinline
func labelledFunction(t *testing.T, got *string) { *got = labelsOf(t, "labelledFunction") }

// N4, N11: a worker has the profiler labels of the traced call that it makes, and of no other: not
// its starter's, not an earlier call's, not what a function has left behind.
func TestN11_labels(t *testing.T) {
	p := &native.Pool{Size: 1} // all calls are one worker's
	call := func(ctx context.Context, before func()) (got string) {
		native.DoIn(ctx, p, func(*native.Call) (int, error) {
			before()
			labelledFunction(t, &got)
			return 0, nil
		})
		return got
	}
	nothing := func() {}
	alice := pprof.WithLabels(context.Background(), pprof.Labels("user", "alice"))
	traced := native.WithTrace(alice, new(native.Trace))
	pprof.Do(alice, pprof.Labels("worker", "started here"), func(ctx context.Context) {
		if got := call(ctx, nothing); got != "" {
			t.Errorf("not traced, by the goroutine that started the worker: %s", got)
		}
	})
	if got := call(traced, nothing); got != `{"user":"alice"}` {
		t.Errorf("traced: %s", got)
	}
	if got := call(context.Background(), nothing); got != "" {
		t.Errorf("after a traced call: %s", got)
	}
	if got := call(context.Background(), func() { pprof.SetGoroutineLabels(alice) }); got == "" {
		t.Error("the function's own labels are not seen: the test sees nothing")
	}
	if got := call(context.Background(), nothing); got != "" {
		t.Errorf("after a function that has left labels: %s", got)
	}
	closePool(t, p)

	// Inline's goroutine is the caller's, and so are its labels.
	pprof.Do(context.Background(), pprof.Labels("user", "bob"), func(context.Context) {
		var got string
		native.Inline(traced, func(*native.Call) (int, error) { labelledFunction(t, &got); return 0, nil })
		if got != `{"user":"bob"}` {
			t.Errorf("Inline: %s", got)
		}
	})
}
