package streamtest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// H5: a panic of the producer passes, and its response is not complete.
func panics(t *testing.T, p Protocol, made producer) {
	o := &httpwire.StreamOptions{Heartbeat: time.Millisecond}
	if made.name == "chunks" {
		o = nil
	}
	x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
		e := made.must(t, w, r, o)
		if err := e.emit("token"); err != nil {
			t.Errorf("Emit: %v", err)
		}
		panic("producer")
	})
	if a := receive(t, x.got, "the response"); a.err == nil {
		if _, err := io.ReadAll(a.rsp.Body); err == nil {
			t.Error("the client takes the stream of a panic for a complete response")
		}
		_ = a.rsp.Body.Close()
	}
	if v := receive(t, x.over, "the handler's panic"); v != "producer" {
		t.Errorf("recovered %v, want the producer's panic", v)
	}
}

// head is of a HEAD request: there is nothing to produce, and nobody has left.
func head(t *testing.T, p Protocol, made producer) {
	errs := make(chan error, 1)
	url := p.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		errs <- made.must(t, w, r, nil).emit("token")
	}), func(h http.Handler) http.Handler { return h })
	rsp, err := p.Client(t).Head(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = rsp.Body.Close()
	if err := receive(t, errs, "Emit"); err != http.ErrBodyNotAllowed {
		t.Errorf("Emit: %v, want http.ErrBodyNotAllowed", err)
	}
	if rsp.StatusCode != http.StatusOK || rsp.Header.Get("Content-Type") != made.contentType {
		t.Errorf("got %s, %v", rsp.Status, rsp.Header)
	}
}

type flushless struct{ http.ResponseWriter }

// H5: a ResponseWriter that can't flush is an error at once, and the response is
// still the handler's.
func noFlush(t *testing.T, p Protocol, made producer) {
	x := start(t, p, func(w http.ResponseWriter, r *http.Request) {
		_, err := made.open(flushless{w}, r, nil)
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "streamtest.flushless") {
			t.Errorf("error %v, want one that matches ErrUnsupported and names the type", err)
		}
		w.WriteHeader(http.StatusNotImplemented)
	})
	rsp := x.response()
	if rsp.StatusCode != http.StatusNotImplemented || rsp.Header.Get("Cache-Control") != "" {
		t.Errorf("got %s, %v", rsp.Status, rsp.Header)
	}
	x.returned()
}
