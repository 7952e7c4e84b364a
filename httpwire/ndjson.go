package httpwire

import (
	"encoding/json"
	"net/http"
)

// NewNDJSON returns a stream of JSON values, one to a line, encoded as by
// encoding/json. Its Content-Type is application/x-ndjson unless one is set. As
// [NewEventStream] otherwise.
func NewNDJSON[T any](w http.ResponseWriter, r *http.Request, opts *StreamOptions) (*Stream[T], error) {
	s, err := newStream(w, r, opts, format{"application/x-ndjson", false, "\n"})
	if err != nil {
		return nil, err
	}
	var line appender
	enc := json.NewEncoder(&line)
	return &Stream[T]{s, func(buf *[]byte, v T) ([]byte, error) {
		line.to = buf
		err := enc.Encode(v)
		return *buf, err
	}}, nil
}

type appender struct{ to *[]byte }

func (a *appender) Write(b []byte) (int, error) {
	*a.to = append(*a.to, b...)
	return len(b), nil
}
