package h3_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/h3"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlogwriter"
)

// What watching costs a request that nobody aborts, client included. The row "tracer" is
// the rival that was rejected: plain http3 with a tracer that does nothing, and
// only for the QUIC connection.
func BenchmarkRequest(b *testing.B) {
	answer := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	look := func(w http.ResponseWriter, r *http.Request) {
		if _, err := httpwire.OnDisconnect(r, func(*httpwire.Disconnect) { b.Error("fired") }); err != nil {
			b.Error(err)
		}
		answer(w, r)
	}
	tracer := func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return &trace{} }
	for _, row := range []struct {
		name      string
		handler   http.HandlerFunc
		conf      *quic.Config
		configure bool
	}{
		{"plain", answer, nil, false},
		{"tracer", answer, &quic.Config{Tracer: tracer}, false},
		{"configured", answer, nil, true},
		{"OnDisconnect", look, nil, true},
	} {
		b.Run(row.name, func(b *testing.B) {
			s := &server{Server: &http3.Server{Handler: row.handler, QUICConfig: row.conf, Logger: slog.New(slog.DiscardHandler)}, t: b, served: make(chan error, 1)}
			if row.configure {
				if err := h3.Configure(s.Server, nil); err != nil {
					b.Fatal(err)
				}
			}
			s.start()
			c := newTransport(b, s)
			r, err := http.NewRequest(http.MethodGet, "https://"+s.addr+"/", nil)
			if err != nil {
				b.Fatal(err)
			}
			if err := c.do(r); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.do(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A trace records for the QUIC connection, its first producer, and not for http3.
type trace struct{ used bool }

func (t *trace) AddProducer() qlogwriter.Recorder {
	if t.used {
		return nil
	}
	t.used = true
	return t
}

func (t *trace) SupportsSchemas(string) bool  { return true }
func (t *trace) RecordEvent(qlogwriter.Event) {}
func (t *trace) Close() error                 { return nil }
