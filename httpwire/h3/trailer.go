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

// Read reads the body, on the handler's goroutine; so r.Trailer may be read where
// Read has returned io.EOF, as net/http has it.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.serverBody.Read(p)
	if err == io.EOF && b.copied != nil {
		b.copied.Trailer = b.made.Trailer
	}
	return n, err
}

// outer wraps the body of the request that http3 made.
func outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sb, ok := r.Body.(serverBody); ok && r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.Body = &body{serverBody: sb, made: r}
		}
		next.ServeHTTP(w, r)
	})
}

// inner learns of the copy.
func inner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, ok := r.Body.(*body); ok {
			b.copied = r
		}
		next.ServeHTTP(w, r)
	})
}
