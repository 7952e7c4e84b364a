package httpwire

import "net/http"

// NewChunks returns a stream of bytes: each Emit sends its own and does not keep
// them. Where one ends the client can't tell. The Content-Type is
// application/octet-stream unless one is set; a Content-Length that is set stays. As
// [NewEventStream] otherwise.
func NewChunks(w http.ResponseWriter, r *http.Request, opts *StreamOptions) (*Stream[[]byte], error) {
	s, err := newStream(w, r, opts, format{"application/octet-stream", false, ""})
	if err != nil {
		return nil, err
	}
	return &Stream[[]byte]{s, func(_ *[]byte, b []byte) ([]byte, error) { return b, nil }}, nil
}
