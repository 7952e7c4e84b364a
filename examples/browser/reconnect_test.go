//go:build cgo

package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/hangup-go/hangup/httpwire"
)

// pause is what the server asks a client to wait for: longer than a browser's own 3 s.
const pause = 3500 * time.Millisecond

// lines serves two events a connection, whose IDs are not ASCII, and the end on the second.
func lines(t *testing.T, retry time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		last := 0
		if id := httpwire.LastEventID(r); id != "" {
			if _, err := fmt.Sscanf(id, "№ %d", &last); err != nil {
				t.Errorf("Last-Event-ID %q: %v", id, err)
			}
		}
		s, err := httpwire.NewEventStream(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for i := last + 1; i <= last+2; i++ {
			_ = s.Emit(httpwire.Event{ID: fmt.Sprintf("№ %d", i), Data: fmt.Sprintf("%d\r\nlines", i), Retry: retry})
		}
		if last > 0 {
			_ = s.Emit(httpwire.Event{Type: "end"})
		}
	}
}

// events are what they are for.
var events = []received{
	{"message", "1\nlines", "№ 1"}, {"message", "2\nlines", "№ 2"},
	{"message", "3\nlines", "№ 3"}, {"message", "4\nlines", "№ 4"},
	{"end", "", "№ 4"},
}

// H5: an EventSource whose response has ended waits as long as it was told, connects again
// and says where it was.
func reconnect(t *testing.T, b *browser) {
	path := "/" + t.Name()
	b.handle(t, path, lines(t, pause))
	got := call[listened](b.tab(t), "listen", path, []string{"message", "end"})
	if !slices.Equal(got.Events, events) {
		t.Errorf("got %q, want %q", got.Events, events)
	}
	if len(got.Waits) != 1 {
		t.Errorf("connected again %d times, want once", len(got.Waits))
	}
	for _, ms := range got.Waits {
		if d := time.Duration(ms * float64(time.Millisecond)); d < pause-100*time.Millisecond {
			t.Errorf("waited %v, was told to wait %v", d, pause)
		}
	}
}

// H5: so does a client library.
func TestLibrary_reconnects(t *testing.T) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) {
			s := v.start(t)
			s.handle(t, "/events", lines(t, time.Millisecond))
			r := s.get(t, "/events")
			ctx, stop := context.WithCancel(r.Context())
			defer stop()
			c := sse.Client{HTTPClient: s.client(t)}
			conn := c.NewConnection(r.WithContext(ctx))
			var got []received
			conn.SubscribeToAll(func(e sse.Event) {
				if e.Type == "" {
					e.Type = "message"
				}
				if got = append(got, received{e.Type, e.Data, e.LastEventID}); e.Type == "end" {
					stop()
				}
			})
			if err := conn.Connect(); r.Context().Err() != nil {
				t.Fatalf("waited %v for the last event: %v", bound, err)
			}
			if !slices.Equal(got, events) {
				t.Errorf("got %q, want %q", got, events)
			}
		})
	}
}
