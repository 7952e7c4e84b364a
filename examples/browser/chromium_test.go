//go:build cgo

package browser_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hangup-go/hangup/httpwire"
)

// required, set to "require", makes a missing Chromium a failure.
const required = "HANGUP_BROWSER_TESTS"

// chromium returns the browser's path, and skips the test where there is none.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(required) == "require" {
		t.Fatal("no Chromium in PATH")
	}
	t.Skip("no Chromium in PATH: on Debian, apt-get install chromium")
	return ""
}

// A browser is a Chromium of its own for one server.
type browser struct {
	*server
	ctx context.Context
}

// browse starts a browser, which ends with t.
func (s *server) browse(t *testing.T) *browser {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium(t)),
		chromedp.NoSandbox, // root has none
		chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", keyHash()),
	}
	if s.proto == httpwire.HTTP3 {
		opts = append(opts, chromedp.Flag("origin-to-force-quic-on", s.addr))
	}
	ctx, wait := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(wait)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	must(t, chromedp.Do(ctx)) // starts it
	return &browser{s, ctx}
}

// Chromium on each way to serve.
func TestChromium(t *testing.T) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) {
			b := v.start(t).browse(t)
			t.Run("EventSource", func(t *testing.T) { readEventSource(t, b) })
			t.Run("fetch", func(t *testing.T) { readFetch(t, b) })
			t.Run("reconnect", func(t *testing.T) { reconnect(t, b) })
			t.Run("leave", func(t *testing.T) { leave(t, b) })
		})
	}
}

// A tab shows the page.
type tab struct {
	t     *testing.T
	ctx   context.Context
	close func()
}

// tab opens one, which closes with t at the latest.
func (b *browser) tab(t *testing.T) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	t.Cleanup(stop)
	tb := &tab{t, ctx, stop}
	must(t, chromedp.Do(ctx)) // opens it
	run(tb, chromedp.Navigate(b.url))
	return tb
}

// run has the tab do something.
func run[T any](tb *tab, a chromedp.Action[T]) (v T) {
	tb.t.Helper()
	ctx, stop := context.WithTimeout(tb.ctx, bound)
	defer stop()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		tb.t.Fatalf("waited for the browser, %v at most: %v", bound, err)
	}
	return v
}

// call calls an async function of the page, and returns what that does in the end.
func call[T any](tb *tab, function string, args ...any) T {
	tb.t.Helper()
	list, err := json.Marshal(append([]any{}, args...)) // not null
	must(tb.t, err)
	return run(tb, chromedp.Evaluate[T](function+"(..."+string(list)+")", chromedp.EvalAwaitPromise))
}
