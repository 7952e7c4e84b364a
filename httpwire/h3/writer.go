package h3

import (
	"net/http"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// A serverWriter is what http3's ResponseWriter is, beyond http.ResponseWriter.
type serverWriter interface {
	http.ResponseWriter
	http.Flusher
	http3.HTTPStreamer
	http3.Settingser
	FlushError() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

var _ serverWriter = (*request)(nil)

// Unwrap is for http.ResponseController.
func (q *request) Unwrap() http.ResponseWriter { return q.ResponseWriter }

// Flush sends what is buffered.
func (q *request) Flush() { _ = q.FlushError() }

// FlushError sends what is buffered. It goes through httpwire's writer, which
// keeps account of when the response is complete.
func (q *request) FlushError() error {
	switch w := q.ResponseWriter.(type) {
	case interface{ FlushError() error }:
		return w.FlushError()
	case http.Flusher:
		w.Flush()
		return nil
	}
	return q.server.FlushError()
}

// HTTPStream takes the stream over (see http3.HTTPStreamer). The watch goes on,
// except that it no longer touches the stream's callback.
func (q *request) HTTPStream() (*http3.Stream, error) {
	str, err := q.server.HTTPStream()
	if err == nil {
		q.mu.Lock()
		q.hijacked = true
		q.mu.Unlock()
	}
	return str, err
}

// ReceivedSettings is http3's.
func (q *request) ReceivedSettings() <-chan struct{} { return q.server.ReceivedSettings() }

// Settings is http3's.
func (q *request) Settings() *http3.Settings { return q.server.Settings() }

// SetReadDeadline is http3's.
func (q *request) SetReadDeadline(t time.Time) error { return q.server.SetReadDeadline(t) }

// SetWriteDeadline is http3's.
func (q *request) SetWriteDeadline(t time.Time) error { return q.server.SetWriteDeadline(t) }
