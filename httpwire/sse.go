package httpwire

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Event is a server-sent event, as the HTML standard has it (section 9.2,
// https://html.spec.whatwg.org/multipage/server-sent-events.html). The zero Event
// is one with empty data.
//
// An Event of a Comment or a Retry alone is no event: clients take note of it and
// dispatch nothing.
type Event struct {
	// Data is the event's data, UTF-8: clients replace what is not. Its line breaks, LF,
	// CR and CRLF, arrive as LF.
	Data string

	// Type is the name that listeners are registered for; "message" if empty. It
	// must have no line break.
	Type string

	// ID is what the client sends as Last-Event-ID when it connects again, from this
	// event on. If empty it is left as it was. It must have no line break and no NUL.
	ID string

	// Retry is how long the client waits before it connects again, rounded up
	// to milliseconds. If zero it is left as it was.
	Retry time.Duration

	// Comment is for whoever reads along.
	Comment string
}

// NewEventStream returns a stream of server-sent events, for a browser's
// EventSource. It sets the header's Content-Type, and Cache-Control and
// X-Accel-Buffering if they are not set; the header goes out with the first event or
// heartbeat.
//
// It fails with an error that matches [errors.ErrUnsupported] if w can't flush, as
// some middleware's can't, and with [ErrNotConfigured] as [OnDisconnect] does. opts
// may be nil.
func NewEventStream(w http.ResponseWriter, r *http.Request, opts *StreamOptions) (*Stream[Event], error) {
	s, err := newStream(w, r, opts, format{"text/event-stream", true, ":\n\n"}) // EventSource takes no other
	if err != nil {
		return nil, err
	}
	return &Stream[Event]{s, func(buf *[]byte, e Event) ([]byte, error) {
		if e.Type == "" && e.ID == "" && e.Comment == "" && e.Retry == 0 && lineEnd(e.Data) < 0 {
			// A token, the shortest way.
			*buf = append(append(append(*buf, "data: "...), e.Data...), "\n\n"...)
			return *buf, nil
		}
		if err := e.check(); err != nil {
			return nil, err
		}
		*buf = e.append(*buf)
		return *buf, nil
	}}, nil
}

// LastEventID returns the ID of the last event that the client of r has seen, as an
// EventSource says that connects again; "" if there is none.
func LastEventID(r *http.Request) string { return r.Header.Get("Last-Event-ID") }

var errEventRetry = errors.New("httpwire: Event.Retry is negative")

func (e *Event) check() error {
	switch {
	case strings.ContainsAny(e.Type, "\r\n"):
		return fmt.Errorf("httpwire: Event.Type %q has a line break", e.Type)
	case strings.ContainsAny(e.ID, "\r\n\x00"):
		return fmt.Errorf("httpwire: Event.ID %q has a line break or a NUL", e.ID)
	case e.Retry < 0:
		return errEventRetry
	}
	return nil
}

func (e *Event) append(b []byte) []byte {
	if e.Comment != "" {
		b = appendLines(b, ": ", e.Comment)
	}
	if e.Retry > 0 {
		b = append(b, "retry: "...)
		ms := (e.Retry-1)/time.Millisecond + 1
		b = append(strconv.AppendInt(b, int64(ms), 10), '\n')
	}
	if e.ID != "" {
		b = append(append(append(b, "id: "...), e.ID...), '\n')
	}
	if e.Type != "" {
		b = append(append(append(b, "event: "...), e.Type...), '\n')
	}
	if e.Data != "" || e.Type != "" || e.ID != "" || e.Comment == "" && e.Retry == 0 {
		b = appendLines(b, "data: ", e.Data)
	}
	return append(b, '\n')
}

// appendLines appends the lines of s, each as a field: a parser joins them with LF.
func appendLines(b []byte, field, s string) []byte {
	for {
		b = append(b, field...)
		i := lineEnd(s)
		if i < 0 {
			return append(append(b, s...), '\n')
		}
		b = append(append(b, s[:i]...), '\n')
		if strings.HasPrefix(s[i:], "\r\n") {
			i++
		}
		s = s[i+1:]
	}
}

// lineEnd is strings.IndexAny(s, "\r\n"), at a third of its cost.
func lineEnd(s string) int {
	lf := strings.IndexByte(s, '\n')
	if lf >= 0 {
		s = s[:lf]
	}
	if cr := strings.IndexByte(s, '\r'); cr >= 0 {
		return cr
	}
	return lf
}
