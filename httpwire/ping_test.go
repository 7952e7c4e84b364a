package httpwire_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// pingVariants are the HTTP/2 servers, each with a way to set its pings.
func pingVariants(t *testing.T, f func(t *testing.T, v variant, pings func(after, wait time.Duration) func(*http.Server))) {
	std := func(after, wait time.Duration) func(*http.Server) {
		return func(s *http.Server) {
			s.HTTP2 = &http.HTTP2Config{SendPingTimeout: after, PingTimeout: wait}
		}
	}
	each(t, httpwire.HTTP2, func(t *testing.T, v variant) { f(t, v, std) })
	for _, v := range variants {
		if v.proto == httpwire.HTTP2 && v.xnet {
			t.Run(v.name+" with its own pings", func(t *testing.T) {
				v.xnet = false // configured here
				f(t, v, func(after, wait time.Duration) func(*http.Server) {
					return func(s *http.Server) {
						//lint:ignore SA1019 deprecated, and what many servers call
						must(t, http2.ConfigureServer(s, &http2.Server{ReadIdleTimeout: after, PingTimeout: wait}))
					}
				})
			})
		}
	}
}

// pingPatience is long for a client that is there to answer a ping, on however busy a
// machine: a control, and the others until they fall silent.
const pingPatience = 5 * time.Second

// mute is an h2client that sends requests, and nothing any more once the server has
// read them: but for an answer to a ping that it had read before, it is silent.
func (s *server) mute(t testing.TB, paths ...string) *h2client {
	t.Helper()
	c := s.h2(t)
	for _, path := range paths {
		c.headers("GET", path, true)
	}
	c.ping()
	c.mute.Store(true)
	return c
}

// deaf2 sends a request, with room for any answer, and reads nothing once the server
// has read that: who sends something behind a ping is there.
func (s *server) deaf2(t testing.TB, path string) {
	t.Helper()
	c := s.h2(t)
	must(t, c.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	must(t, c.fr.WriteWindowUpdate(0, 1<<30))
	c.headers("GET", path, true)
	c.ping()
	c.deaf.Store(true)
}

// H2: a client that does not answer a ping is told as a timeout, to all requests of
// its connection and to no other.
func TestPing_lost(t *testing.T) {
	t.Parallel()
	pingVariants(t, func(t *testing.T, v variant, pings func(time.Duration, time.Duration) func(*http.Server)) {
		t.Parallel()
		var vs visits
		s := vs.serve(t, v, pings(50*time.Millisecond, pingPatience))
		control := vs.hold(t, "/control", nil)
		s.h2(t).get("/control")
		receive(t, control.ready, "the control request")
		one, two := vs.hold(t, "/one", nil), vs.hold(t, "/two", begin)
		s.mute(t, "/one", "/two")
		receive(t, one.ready, "the first handler")
		receive(t, two.ready, "the second handler")
		for _, visit := range []*visit{one, two} {
			d := visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: httpwire.Timeout})
			if d.Source != httpwire.SourceFrame || d.Err == nil {
				t.Errorf("got %v by %v, want a frame, and an error", d, d.Source)
			}
		}
		control.untouched(t)
	})
}

// H2: so is a client that reads nothing, so that the ping is stuck behind a write.
func TestPing_stuck(t *testing.T) {
	t.Parallel()
	pingVariants(t, func(t *testing.T, v variant, pings func(time.Duration, time.Duration) func(*http.Server)) {
		t.Parallel()
		var vs visits
		s := vs.serve(t, v, pings(100*time.Millisecond, pingPatience))
		visit := vs.expect("/", nil)
		visit.do = func(w http.ResponseWriter, r *http.Request) {
			_ = writeUntilError(w, r)
			<-visit.release
		}
		s.deaf2(t, "/")
		d := visit.gone(t, httpwire.Disconnect{Proto: httpwire.HTTP2, Kind: httpwire.Timeout})
		if d.Source != httpwire.SourceFrame || d.Err == nil {
			t.Errorf("got %v by %v, want a frame, and an error", d, d.Source)
		}
	})
}

// H3: a ping that is not answered yet is no disconnect, whatever ends the
// connection.
func TestPing_falseFires(t *testing.T) {
	ends := map[string]func(t *testing.T, s *server, c *h2client){
		"Server.Close": func(t *testing.T, s *server, _ *h2client) { _ = s.Close() },
		"Shutdown, Close": func(t *testing.T, s *server, _ *h2client) {
			ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
			defer stop()
			_ = s.Shutdown(ctx)
			_ = s.Close()
		},
		"protocol error": func(t *testing.T, s *server, c *h2client) {
			must(t, c.fr.WriteRawFrame(http2.FrameRSTStream, 0, 1, make([]byte, 5)))
			c.flush()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			pingVariants(t, func(t *testing.T, v variant, pings func(time.Duration, time.Duration) func(*http.Server)) {
				t.Parallel() // a protocol error takes a second
				var vs visits
				s := vs.serve(t, v, pings(10*time.Millisecond, time.Hour))
				visit := vs.hold(t, "/", nil)
				c := s.mute(t, "/")
				receive(t, visit.ready, "the handler")
				receive(t, c.unanswered, "a ping that is not answered")
				end(t, s, c)
				receive(t, visit.ctx.Done(), "the context to be done")
				visit.end(t, 0)
			})
		})
	}
}

// A ping that is answered is none at all: the client may stay silent for many.
func TestPing_answered(t *testing.T) {
	pingVariants(t, func(t *testing.T, v variant, pings func(time.Duration, time.Duration) func(*http.Server)) {
		var vs visits
		s := vs.serve(t, v, pings(5*time.Millisecond, time.Hour))
		visit := vs.hold(t, "/", nil)
		c := s.h2(t)
		c.get("/")
		receive(t, visit.ready, "the handler")
		for range 10 {
			receive(t, c.pinged, "a ping")
		}
		_ = s.Close()
		receive(t, visit.ctx.Done(), "the context to be done")
		visit.end(t, 0)
	})
}

func serverFrames() []byte {
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	_ = fr.WriteSettings(http2.Setting{ID: 3, Val: 250})
	_ = fr.WritePing(true, [8]byte{1})
	_ = fr.WriteData(1, false, []byte{0, 0, 8, 6, 0, 0, 0, 0, 0}) // looks like one
	_ = fr.WritePing(false, [8]byte{0, 0, 8, 6})
	_ = fr.WriteData(1, false, make([]byte, 16384))
	_ = fr.WriteData(1, true, nil)
	_ = fr.WriteGoAway(1, 0, []byte("bye"))
	_ = fr.WritePing(false, [8]byte{})
	return b.Bytes()
}

// asksOf is the rival of the scanner: x/net's Framer on the whole.
func asksOf(b []byte) (types []uint8) {
	fr := http2.NewFramer(nil, bytes.NewReader(b))
	fr.SetMaxReadFrameSize(1<<24 - 1)
	fr.AllowIllegalReads = true
	for {
		switch f, err := fr.ReadFrame(); {
		case err != nil:
			return types
		case f.Header().Type == http2.FrameGoAway, f.Header().Type == http2.FramePing && !f.Header().Flags.Has(http2.FlagPingAck):
			types = append(types, uint8(f.Header().Type))
		}
	}
}

// The scanner of what the server writes finds every ping and every GOAWAY, whatever
// pieces they come in.
func TestPingScanner_anyPieces(t *testing.T) {
	b := serverFrames()
	want := []uint8{6, 7, 6}
	if got := asksOf(b); !slices.Equal(got, want) {
		t.Fatalf("the rival finds %d", got)
	}
	for size := 1; size <= len(b); size++ {
		if got := httpwire.ScanPings(slices.Collect(slices.Chunk(b, size))...); !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d: %d, want %d", size, got, want)
		}
	}
}

// Robustness: any bytes, in any two pieces.
func FuzzPingScanner(f *testing.F) {
	f.Add(serverFrames(), 7)
	f.Add([]byte{0, 0, 8, 6, 0, 0, 0, 0}, 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		whole, pieces := httpwire.ScanPings(b), httpwire.ScanPings(b[:cut], b[cut:])
		if !slices.Equal(whole, pieces) {
			t.Errorf("cut at %d: %d, whole %d", cut, pieces, whole)
		}
		if want := asksOf(b); len(whole) < len(want) || !slices.Equal(whole[:len(want)], want) {
			t.Errorf("%d, the Framer finds %d", whole, want)
		}
	})
}

// H3: what the server may have gone through when it closes a connection, and whether
// that is a lost ping.
func TestPings_traces(t *testing.T) {
	for _, tt := range []struct {
		steps string
		lost  bool
	}{
		{"", false},
		{"ping", true},
		{"stuck", true},
		{"read,silence,ping", true},
		{"read,ping", true}, // the server asks after a silence, whatever we know of it
		{"read,silence", false},
		{"read,own answer,silence", false}, // it is the client that asked
		{"ping,read", false},               // a flood
		{"ping,read,silence", true},        // it crossed the ping, and then came nothing
		{"ping,answer,silence", false},     // it was asked no more
		{"ping,answer,silence,ping", true}, // it was
		{"ping,read,silence,answer,silence", false},
		{"stuck,read", false},        // a flood
		{"stuck,read,silence", true}, // a WINDOW_UPDATE, and then nothing
		{"stuck,read ahead,silence", true},
		{"stuck,read ahead,silence,handed on", false}, // a flood that the server is slow with
		{"read ahead,stuck,handed on", false},
		{"stuck,read,silence,wrote", false},
		{"stuck,wrote", false},
		{"stuck,short write,stuck", true},
		{"stuck,write error", false},
		{"ping,stuck,write error", false},
		{"ping,read error", false},
		{"ping,goaway", false},
		{"goaway,ping", false},
		{"read,ping,silence,goaway", false}, // the ping overtook the answer to what was read
		{"ping,close", false},               // told before
	} {
		var steps []string
		if tt.steps != "" {
			steps = strings.Split(tt.steps, ",")
		}
		if got := httpwire.LostPing(steps...); got != tt.lost {
			t.Errorf("%q: lost = %v", tt.steps, got)
		}
	}
}
