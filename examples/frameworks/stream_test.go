//go:build cgo

package frameworks_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// eachWay runs test on each way to serve.
func eachWay(t *testing.T, test func(t *testing.T, v way)) {
	for _, v := range ways {
		t.Run(v.name, func(t *testing.T) { test(t, v) })
	}
}

// generate is what a streaming handler of a user's does: an engine in C hands out
// tokens by callback, and each is an event.
func generate(w http.ResponseWriter, r *http.Request, n uint64, d time.Duration, made *nativetest.Count) error {
	s, err := httpwire.NewEventStream(w, r, &httpwire.StreamOptions{Heartbeat: time.Second})
	if err != nil {
		return err
	}
	return s.Pump(native.Stream(r.Context(), nil, 4, func(c *native.Call, send func(httpwire.Event) bool) error {
		return nativetest.Tokens(c.Flag().Pointer(), n, d, func(tok string) bool {
			return send(httpwire.Event{Data: tok})
		}, made)
	}))
}

// H5: what C hands out arrives, in a client library that is not ours.
func TestNativeStream_complete(t *testing.T) {
	eachWay(t, func(t *testing.T, v way) {
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := generate(w, r, 100, 0, nil); err != nil {
				t.Error(err)
			}
		}), true)
		resp, err := s.client(t).Get(s.url)
		must(t, err)
		defer resp.Body.Close()
		i := 0
		for e, err := range sse.Read(resp.Body, nil) {
			if want := fmt.Sprintf("token %d ", i); err != nil || e.Data != want {
				t.Fatalf("got %q, %v, want %q", e.Data, err, want)
			}
			i++
		}
		if i != 100 {
			t.Errorf("%d events, want 100", i)
		}
	})
}

// H5, N3: a client that leaves stops C, which computes between two tokens or waits
// for the client to read; and the handler has both errors.
func TestNativeStream_left(t *testing.T) {
	for name, d := range map[string]time.Duration{"sending": 0, "computing": 2 * bound} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, v way) {
				errs := make(chan error, 1)
				made := new(nativetest.Count)
				s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if d > 0 { // the first token at once: the client gets its header
						_ = generate(w, r, 1, 0, nil)
					}
					errs <- generate(w, r, 1<<40, d, made)
				}), true)
				ctx, leave := context.WithCancel(context.Background())
				defer leave()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
				must(t, err)
				resp, err := s.client(t).Do(r)
				must(t, err)
				defer resp.Body.Close()
				line, err := bufio.NewReader(resp.Body).ReadString('\n')
				if err != nil || line != "data: token 0 \n" {
					t.Fatalf("first line %q, %v", line, err)
				}
				leave()
				err = receive(t, errs, "the handler")
				d, ok := errors.AsType[*httpwire.Disconnect](err)
				if !ok {
					t.Fatalf("err = %v, want a Disconnect", err)
				}
				wantLeft(t, d, v.proto, name == "sending")
				n := made.Load() // fn has returned: C makes no more
				receive(t, s.ended, "the handler's end")
				if made.Load() != n {
					t.Error("C has gone on after the handler's Pump")
				}
			})
		})
	}
}

// H5: an EventSource of another's connects again, and says where it was.
func TestEventStream_reconnects(t *testing.T) {
	eachWay(t, func(t *testing.T, v way) {
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "text/event-stream" {
				t.Errorf("Accept %q", r.Header.Get("Accept"))
			}
			last, _ := strconv.Atoi(httpwire.LastEventID(r))
			if last == 6 {
				w.WriteHeader(http.StatusNoContent) // which tells an EventSource to stop
				return
			}
			st, err := httpwire.NewEventStream(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			_ = st.Emit(httpwire.Event{Retry: time.Millisecond, Comment: "a\nb"})
			for i := last + 1; i <= last+2; i++ {
				if err := st.Emit(httpwire.Event{ID: strconv.Itoa(i), Type: "count", Data: fmt.Sprintf("%d\r\nlines", i)}); err != nil {
					t.Error(err)
				}
			}
		}), true)
		ctx, stop := context.WithTimeout(context.Background(), bound)
		defer stop()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		must(t, err)
		c := sse.Client{HTTPClient: s.client(t)}
		conn := c.NewConnection(r)
		var got []string
		conn.SubscribeEvent("count", func(e sse.Event) { got = append(got, e.LastEventID+" "+e.Data) })
		if err := conn.Connect(); ctx.Err() != nil {
			t.Fatalf("waited for the client to stop: %v", err)
		}
		var want []string
		for i := 1; i <= 6; i++ {
			want = append(want, fmt.Sprintf("%d %d\nlines", i, i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
