//go:build cgo

package browser_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A received is an event as its listener gets it.
type received struct{ Type, Data, ID string }

// What is emitted, and what a reader makes of it: nil for nothing.
var emitted = []struct {
	e    httpwire.Event
	want *received
}{
	{httpwire.Event{Data: "plain"}, &received{"message", "plain", ""}},
	{httpwire.Event{Data: "a\nb\rc\r\nd\n"}, &received{"message", "a\nb\nc\nd\n", ""}},
	{httpwire.Event{Data: "\r\n\r"}, &received{"message", "\n\n", ""}},
	{httpwire.Event{Data: " spaces  "}, &received{"message", " spaces  ", ""}},
	{httpwire.Event{}, &received{"message", "", ""}},
	{httpwire.Event{Data: "data: x\nid: no\n\n: y"}, &received{"message", "data: x\nid: no\n\n: y", ""}},
	{httpwire.Event{Data: "NUL \x00, BOM \ufeff"}, &received{"message", "NUL \x00, BOM \ufeff", ""}},
	{httpwire.Event{Data: "\ufeffäöü €\n名前 😀"}, &received{"message", "\ufeffäöü €\n名前 😀", ""}},
	{httpwire.Event{Comment: "a comment\ndata: of\r\rlines"}, nil},
	{httpwire.Event{Comment: "beside", Data: "data"}, &received{"message", "data", ""}},
	{httpwire.Event{Type: "named", Data: "x"}, &received{"named", "x", ""}},
	{httpwire.Event{Type: "名 :", Data: "y"}, &received{"名 :", "y", ""}},
	{httpwire.Event{Type: "named"}, &received{"named", "", ""}},
	{httpwire.Event{ID: "1"}, &received{"message", "", "1"}},
	{httpwire.Event{Data: "the ID stays"}, &received{"message", "the ID stays", "1"}},
	{httpwire.Event{ID: " é: 2", Data: "z"}, &received{"message", "z", " é: 2"}},
	{httpwire.Event{Retry: time.Minute}, nil},
	{httpwire.Event{Data: strings.Repeat("1 €\n", 50_000)}, &received{"message", strings.Repeat("1 €\n", 50_000), " é: 2"}},
	{httpwire.Event{Type: "end", Data: "end"}, &received{"end", "end", " é: 2"}},
}

// wanted is what a reader makes of all of them, and names are the types.
func wanted() (all []received, names []string) {
	for _, e := range emitted {
		if e.want != nil {
			all = append(all, *e.want)
			names = append(names, e.want.Type)
		}
	}
	slices.Sort(names)
	return all, slices.Compact(names)
}

// emitAll emits them, as C hands out a token for each, with a heartbeat among them.
func emitAll(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		beaten := make(chan struct{}, 1)
		s, err := httpwire.NewEventStream(&beats{w, beaten}, r, &httpwire.StreamOptions{Heartbeat: time.Millisecond})
		if err != nil {
			t.Error(err)
			return
		}
		err = s.Pump(native.Stream(r.Context(), nil, 1, func(c *native.Call, send func(httpwire.Event) bool) error {
			i := -1
			return nativetest.Tokens(c.Flag().Pointer(), uint64(len(emitted)), 0, func(string) bool {
				if i++; i == len(emitted)/2 {
					<-beaten
				}
				return send(emitted[i].e)
			}, nil)
		}))
		if err != nil {
			t.Errorf("Pump: %v", err)
		}
	}
}

// beats tells of each heartbeat that is written.
type beats struct {
	http.ResponseWriter
	beaten chan<- struct{}
}

func (b *beats) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b *beats) Write(p []byte) (int, error) {
	if string(p) == ":\n\n" {
		select {
		case b.beaten <- struct{}{}:
		default:
		}
	}
	return b.ResponseWriter.Write(p)
}

func check(t *testing.T, got []received) {
	t.Helper()
	want, _ := wanted()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%d events, want %d: the next is %.100q", len(got), len(want), want[i])
		case i >= len(want):
			t.Fatalf("%d events, want %d: the next is %.100q", len(got), len(want), got[i])
		case got[i] != want[i]:
			t.Fatalf("event %d is %.100q, want %.100q", i, got[i], want[i])
		}
	}
}

// H5: an EventSource gets what was emitted, and nothing else.
func readEventSource(t *testing.T, b *browser) {
	path := "/" + t.Name()
	b.handle(t, path, emitAll(t))
	_, names := wanted()
	check(t, call[listened](b.tab(t), "listen", path, names).Events)
}

// listened is what the page's listen returns.
type listened struct {
	Events []received
	Waits  []float64
}

// H5: fetch gets the same, as it comes, and with a parser on it the same events.
func readFetch(t *testing.T, b *browser) {
	path := "/" + t.Name()
	b.handle(t, path, emitAll(t))
	r := call[struct {
		Text  string
		Parts int
	}](b.tab(t), "read", path)
	if r.Parts < 2 {
		t.Errorf("came in %d parts, want more than one", r.Parts)
	}
	check(t, parse(t, sse.Read(strings.NewReader(r.Text), &sse.ReadConfig{MaxEventSize: 1 << 20})))
}

// H5: so does a client library.
func TestLibrary_reads(t *testing.T) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) {
			s := v.start(t)
			s.handle(t, "/events", emitAll(t))
			rsp, err := s.client(t).Do(s.get(t, "/events"))
			must(t, err)
			defer rsp.Body.Close()
			check(t, parse(t, sse.Read(rsp.Body, &sse.ReadConfig{MaxEventSize: 1 << 20})))
		})
	}
}

// parse returns what go-sse makes of a stream.
func parse(t *testing.T, events func(func(sse.Event, error) bool)) (got []received) {
	t.Helper()
	for e, err := range events {
		must(t, err)
		if e.Type == "" {
			e.Type = "message"
		}
		got = append(got, received{e.Type, e.Data, e.LastEventID})
	}
	return got
}
