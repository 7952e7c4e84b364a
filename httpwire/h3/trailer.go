package h3

import (
	"io"
	"net/http"

	"github.com/quic-go/quic-go"
)

// http3 stores a request's trailers in the request that it made, when it has read
// the body to its end. The handler has a copy of that, with a context of ours: body
// hands them over.
type body struct {
	serverBody
	made, copied *http.Request
}

// serverBody is what http3's request body is, beyond io.ReadCloser.
type serverBody interface {
	io.ReadCloser
	StreamID() quic.StreamID
}

// passTrailer makes copied's body hand over made's trailers. It is no handler around
// the handler: that would cost every request a part of its stack (see CONTRIBUTING.md).
func passTrailer(made, copied *http.Request) {
	if made == copied || made.Method == http.MethodGet || made.Method == http.MethodHead {
		return
	}
	if sb, ok := copied.Body.(serverBody); ok {
		copied.Body = &body{sb, made, copied}
	}
}

// Read reads the body, on the handler's goroutine; so r.Trailer may be read where
// Read has returned io.EOF, as net/http has it.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.serverBody.Read(p)
	if err == io.EOF {
		b.copied.Trailer = b.made.Trailer
	}
	return n, err
}
