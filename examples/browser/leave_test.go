//go:build cgo

package browser_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A leaving is one way in which a user, or a page, leaves a request that it has opened by
// a function of the page.
type leaving struct {
	name, open string
	leave      func(*tab)
	reads      bool // it takes a response to leave it so
}

var leavings = []leaving{
	{"EventSource.close", "openSource", func(tb *tab) { call[chromedp.Void](tb, "closeSource") }, false},
	{"tab of an EventSource closed", "openSource", func(tb *tab) { tb.close() }, false},
	{"page of an EventSource left", "openSource", leavePage, false},
	{"AbortController.abort", "openFetch", func(tb *tab) { call[chromedp.Void](tb, "abort") }, false},
	{"reader.cancel", "openFetch", func(tb *tab) { call[chromedp.Void](tb, "cancelReader") }, true},
	{"tab of a fetch closed", "openFetch", func(tb *tab) { tb.close() }, false},
}

// leavePage leaves a page that closes its EventSource then. One that does not goes on as a
// client in Chromium's back/forward cache.
func leavePage(tb *tab) {
	call[chromedp.Void](tb, "closeOnPagehide")
	run(tb, chromedp.Navigate("about:blank"))
}

// H5, N3: however a user leaves, and whatever C is at, it is stopped, the Disconnect says
// how, and no other request of the same browser is touched.
func leave(t *testing.T, b *browser) {
	other := newJob()
	b.handle(t, "/other", other.serve(t, other.pause))
	otherTab := b.tab(t)
	call[chromedp.Void](otherTab, "openSource", "/other", true)
	for _, a := range activities {
		for _, l := range leavings {
			if l.reads && !a.sent {
				continue
			}
			t.Run(a.name+"/"+l.name, func(t *testing.T) {
				j := newJob()
				j.sending = a.name == "sending"
				path := "/" + t.Name()
				b.handle(t, path, j.serve(t, func(w http.ResponseWriter, r *http.Request) error { return a.do(j, w, r) }))
				tb := b.tab(t)
				call[chromedp.Void](tb, l.open, path, a.sent)
				j.leaves(t, b.way, func() { l.leave(tb) })
				if b.proto != httpwire.HTTP1 && j.addr != other.addr {
					t.Errorf("came from %s, the other request from %s: want one connection", j.addr, other.addr)
				}
			})
		}
	}
	select {
	case d := <-other.fired:
		t.Fatalf("the other request: %v", d)
	case err := <-other.c:
		t.Fatalf("the other call has ended: %v", err)
	default:
	}
	other.leaves(t, b.way, func() { call[chromedp.Void](otherTab, "closeSource") })
}

// leaves waits until C runs, has the client leave, and until C has stopped for it.
func (j *job) leaves(t *testing.T, v way, leave func()) {
	t.Helper()
	receive(t, j.began, "C to run")
	leave()
	if err := receive(t, j.c, "C to return"); err != nativetest.ErrStopped {
		t.Errorf("C returned %v", err)
	}
	err := receive(t, j.ended, "the handler")
	d, ok := errors.AsType[*httpwire.Disconnect](err)
	if !ok || !errors.Is(err, nativetest.ErrStopped) && d == nil {
		t.Fatalf("the handler got %v, want a Disconnect", err)
	}
	if told := receive(t, j.fired, "OnDisconnect's callback"); told != d {
		t.Errorf("OnDisconnect: %v, the handler got %v", told, d)
	}
	wantLeft(t, d, v.proto, j.sending)
}

// wantLeft checks that d says how a browser leaves a request.
func wantLeft(t *testing.T, d *httpwire.Disconnect, p httpwire.Protocol, sending bool) {
	t.Helper()
	code := uint64(8) // CANCEL
	if p == httpwire.HTTP3 {
		code = 0x10c // H3_REQUEST_CANCELLED
	}
	switch {
	case d.Proto != p:
		t.Errorf("protocol %v, want %v", d.Proto, p)
	case p == httpwire.HTTP1 && d.Kind != httpwire.Closed && !(sending && (d.Kind == httpwire.Reset || d.Kind == httpwire.WriteFailed)):
		t.Errorf("%v, want closed", d)
	case p != httpwire.HTTP1 && (d.Kind != httpwire.StreamReset || !d.HasCode || d.Code != code):
		t.Errorf("%v, want a stream reset with code %#x", d, code)
	case d.Source == httpwire.SourceContext:
		t.Errorf("%v: from the context alone", d)
	}
}
