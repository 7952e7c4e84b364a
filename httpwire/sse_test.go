package httpwire_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/streamtest"
)

// record returns what a client of NewEventStream gets.
func record(t testing.TB, events ...httpwire.Event) []byte {
	t.Helper()
	rec := httptest.NewRecorder()
	s, err := httpwire.NewEventStream(rec, httptest.NewRequest("GET", "/", nil), nil)
	must(t, err)
	for _, e := range events {
		must(t, s.Emit(e))
	}
	return rec.Body.Bytes()
}

// H5: the bytes of each field, as section 9.2.5 of the HTML standard has them.
func TestEventStream_bytes(t *testing.T) {
	for _, c := range []struct {
		e    httpwire.Event
		want string
	}{
		{httpwire.Event{}, "data: \n\n"},
		{httpwire.Event{Data: "x"}, "data: x\n\n"},
		{httpwire.Event{Data: " x"}, "data:  x\n\n"},
		{httpwire.Event{Data: "a\nb\rc\r\nd\n"}, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		{httpwire.Event{Data: "\r\r\n\n"}, "data: \ndata: \ndata: \ndata: \n\n"},
		{httpwire.Event{Type: "end"}, "event: end\ndata: \n\n"},
		{httpwire.Event{ID: "7"}, "id: 7\ndata: \n\n"},
		{httpwire.Event{Retry: 1500 * time.Millisecond}, "retry: 1500\n\n"},
		{httpwire.Event{Retry: 1}, "retry: 1\n\n"},
		{httpwire.Event{Comment: "a\ndata: b"}, ": a\n: data: b\n\n"},
		{
			httpwire.Event{Comment: "c", Retry: time.Second, ID: "i", Type: "t", Data: "d"},
			": c\nretry: 1000\nid: i\nevent: t\ndata: d\n\n",
		},
	} {
		if got := string(record(t, c.e)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.e, got, c.want)
		}
	}
}

// What can't be an event is an error of its own: nothing is written, and the stream goes on.
func TestEventStream_refused(t *testing.T) {
	rec := httptest.NewRecorder()
	s, err := httpwire.NewEventStream(rec, httptest.NewRequest("GET", "/", nil), nil)
	must(t, err)
	for _, e := range []httpwire.Event{
		{Type: "a\nb"}, {Type: "a\rb"}, {ID: "a\nb"}, {ID: "a\rb"}, {ID: "a\x00b"}, {Retry: -1},
	} {
		if s.Emit(e) == nil {
			t.Errorf("no error for %+v", e)
		}
	}
	if rec.Body.Len() != 0 {
		t.Errorf("%q was written", rec.Body)
	}
	must(t, s.Emit(httpwire.Event{Data: "x"}))
}

// H5: an EventSource that connects again says where it was.
func TestLastEventID(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	if id := httpwire.LastEventID(r); id != "" {
		t.Errorf("ID %q of a client that has none", id)
	}
	r.Header.Set("Last-Event-ID", "42 é")
	if id := httpwire.LastEventID(r); id != "42 é" {
		t.Errorf("ID %q", id)
	}
}

// H5: whatever is emitted, a parser of the standard reads back the same events.
func FuzzEventStream(f *testing.F) {
	f.Add("data", "type", "id", "comment", int64(1500), "again")
	f.Add("a\nb\rc\r\nd", "", "", "", int64(0), "")
	f.Add("\r", "\x00", "1", "\r\n\n", int64(1), "\ufeff: x\ndata:y")
	f.Add("", "", "", "only", int64(7), ":\n\n")
	f.Fuzz(func(t *testing.T, data, typ, id, comment string, retry int64, second string) {
		rec := httptest.NewRecorder()
		s, err := httpwire.NewEventStream(rec, httptest.NewRequest("GET", "/", nil), nil)
		must(t, err)
		var want streamtest.Source
		for _, e := range []httpwire.Event{
			{Data: data, Type: typ, ID: id, Comment: comment, Retry: time.Duration(retry % (1 << 60))},
			{Data: second},
			{Comment: second},
			{Data: comment, Comment: data, ID: typ},
		} {
			if refused := refusable(e); (s.Emit(e) != nil) != refused {
				t.Fatalf("%+v: refused %v, want %v", e, !refused, refused)
			} else if !refused {
				take(&want, e)
			}
		}
		if diff := cmp.Diff(want, streamtest.ParseEvents(rec.Body.Bytes())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", rec.Body, diff)
		}
	})
}

func refusable(e httpwire.Event) bool {
	return strings.ContainsAny(e.Type, "\r\n") || strings.ContainsAny(e.ID, "\r\n\x00") || e.Retry < 0
}

// take notes what a client makes of e.
func take(s *streamtest.Source, e httpwire.Event) {
	if e.Comment != "" {
		s.Comments = append(s.Comments, strings.Split(lf(e.Comment), "\n")...)
	}
	if e.Retry > 0 {
		s.Retry = (e.Retry + time.Millisecond - 1).Truncate(time.Millisecond)
	}
	if e.ID != "" {
		s.LastEventID = e.ID
	}
	if e.Data == "" && e.Type == "" && e.ID == "" && (e.Comment != "" || e.Retry != 0) {
		return
	}
	d := streamtest.Dispatched{Type: "message", Data: lf(e.Data), LastEventID: s.LastEventID}
	if e.Type != "" {
		d.Type = e.Type
	}
	s.Events = append(s.Events, d)
}

func lf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// The parser of the tests is what the standard's examples say (section 9.2.6).
func TestParseEvents_standard(t *testing.T) {
	message := func(data, id string) streamtest.Dispatched {
		return streamtest.Dispatched{Type: "message", Data: data, LastEventID: id}
	}
	for _, c := range []struct {
		stream string
		want   []streamtest.Dispatched
	}{
		{"data: YHOO\ndata: +2\ndata: 10\n\n", []streamtest.Dispatched{message("YHOO\n+2\n10", "")}},
		{
			": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
			[]streamtest.Dispatched{message("first event", "1"), message("second event", ""), message(" third event", "")},
		},
		{"data\n\ndata\ndata\n\ndata:", []streamtest.Dispatched{message("", ""), message("\n", "")}},
		{"data:test\n\ndata: test\n\n", []streamtest.Dispatched{message("test", ""), message("test", "")}},
		{"\ufeffevent: add\r\ndata: 73857293\r\rdata: lost\n", []streamtest.Dispatched{{Type: "add", Data: "73857293"}}},
		{"id: a\n\nid: b\x00\ndata: x\n\nretry: 1x\nfoo: bar\n\n", []streamtest.Dispatched{message("x", "a")}},
	} {
		if got := streamtest.ParseEvents([]byte(c.stream)).Events; !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.stream, got, c.want)
		}
	}
}

// The header that the program has set stays, except what would break the stream.
func TestStream_header(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(w http.ResponseWriter, r *http.Request) error
		want http.Header
	}{
		{"events", func(w http.ResponseWriter, r *http.Request) error {
			_, err := httpwire.NewEventStream(w, r, nil)
			return err
		}, http.Header{"Content-Type": {"text/event-stream"}}},
		{"ndjson", func(w http.ResponseWriter, r *http.Request) error {
			_, err := httpwire.NewNDJSON[any](w, r, nil)
			return err
		}, http.Header{"Content-Type": {"mine"}}},
		{"chunks", func(w http.ResponseWriter, r *http.Request) error {
			_, err := httpwire.NewChunks(w, r, nil)
			return err
		}, http.Header{"Content-Type": {"mine"}, "Content-Length": {"5"}}},
	} {
		rec := httptest.NewRecorder()
		for k, v := range (http.Header{"Content-Type": {"mine"}, "Content-Length": {"5"}, "Cache-Control": {"mine"}}) {
			rec.Header()[k] = v
		}
		must(t, c.open(rec, httptest.NewRequest("GET", "/", nil)))
		c.want["Cache-Control"], c.want["X-Accel-Buffering"] = []string{"mine"}, []string{"no"}
		if diff := cmp.Diff(c.want, rec.Header()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
