package h3_test

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/httpwire/internal/streamtest"
	"github.com/quic-go/quic-go/http3"
)

// H5: the streams on HTTP/3.
func TestStreams(t *testing.T) { streamtest.Run(t, protocol()) }

func protocol() streamtest.Protocol {
	var s *server
	return streamtest.Protocol{
		Serve: func(t testing.TB, h http.Handler, outer func(http.Handler) http.Handler) string {
			s = configure(t, h.ServeHTTP, nil)
			s.Handler = outer(s.Handler)
			s.start()
			return "https://" + s.addr + "/handle"
		},
		Client: func(t testing.TB) *http.Client {
			tr := &http3.Transport{TLSClientConfig: s.tls}
			t.Cleanup(func() { _ = tr.Close() })
			return &http.Client{Transport: tr}
		},
	}
}

// What Emit costs, against Write and Flush.
func BenchmarkEmit(b *testing.B) { streamtest.Bench(b, protocol()) }

// H5: an Emit that is blocked in flow control is woken by RESET_STREAM alone, which ends
// the request's body and no write.
func TestStream_bodyAbortedWhileBlocked(t *testing.T) {
	var sent atomic.Int64
	errs := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		st, err := httpwire.NewChunks(w, r, nil)
		for ; err == nil; sent.Add(1) {
			err = st.Emit(make([]byte, 64<<10))
		}
		errs <- err
	})
	str := dial(t, s, nil).open(withBody, "/handle")
	if _, err := str.ReadResponse(); err != nil {
		t.Fatal(err)
	}
	streamtest.Blocked(t, &sent)
	str.CancelWrite(7)
	d, ok := errors.AsType[*httpwire.Disconnect](recv(t, errs, "Emit"))
	if !ok {
		t.Fatal("no Disconnect")
	}
	want(t, d, httpwire.BodyAborted, 7)
}

// H5: and its client, which may read on, does not get a response that looks complete,
// after another Emit or without one.
func TestStream_bodyAbortedWhilePaused(t *testing.T) {
	for _, again := range []bool{false, true} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			st, err := httpwire.NewChunks(w, r, nil)
			if err == nil {
				err = st.Emit([]byte("token"))
			}
			if err != nil {
				t.Error(err)
			}
			recv(t, st.Done(), "Done")
			if again && !errors.Is(st.Emit([]byte("late")), httpwire.ErrDisconnected) {
				t.Error("no Disconnect")
			}
		})
		str := dial(t, s, nil).open(withBody, "/handle")
		rsp, err := str.ReadResponse()
		if err != nil {
			t.Fatal(err)
		}
		str.CancelWrite(7)
		if b, err := io.ReadAll(rsp.Body); err == nil {
			t.Errorf("Emit again %v: the stream, %q, looks complete", again, b)
		}
	}
}
