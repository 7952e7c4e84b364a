package httpwire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/httpwire"
)

// Handlers that look more and more.
var looks = []struct {
	name       string
	configured bool
	h          http.HandlerFunc
}{
	{"plain", false, func(w http.ResponseWriter, r *http.Request) {}},
	{"watched", true, func(w http.ResponseWriter, r *http.Request) {}},
	{"plain+Done", false, func(w http.ResponseWriter, r *http.Request) { r.Context().Done() }},
	{"watched+Done", true, func(w http.ResponseWriter, r *http.Request) { r.Context().Done() }},
	{"watched+OnDisconnect", true, func(w http.ResponseWriter, r *http.Request) {
		_, _ = httpwire.OnDisconnect(r, func(*httpwire.Disconnect) {})
	}},
}

// roundTrips serves h and returns a function that makes one request, on one
// connection, with next to no allocations of its own.
func roundTrips(t testing.TB, v variant, configured bool, h http.Handler) func() {
	s := &server{}
	if configured {
		s = v.configure(t, h)
	} else {
		s = &server{variant: v, Server: &http.Server{Handler: h, Protocols: new(http.Protocols)}}
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetUnencryptedHTTP2(true)
	}
	s.listen(t)
	return v.asker(t, s)
}

// lines is roundTrips for HTTP/1.
func lines(t testing.TB, c net.Conn) func() {
	req, r := []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), bufio.NewReader(c)
	return func() {
		_, _ = c.Write(req)
		for {
			line, err := r.ReadSlice('\n')
			must(t, err)
			if len(line) == 2 {
				return
			}
		}
	}
}

// frames is roundTrips for HTTP/2: the header is static, the reader skips.
func frames(t testing.TB, c net.Conn) func() {
	fr := http2.NewFramer(c, nil)
	_, _ = io.WriteString(c, http2.ClientPreface)
	must(t, fr.WriteSettings())
	r, id, head := bufio.NewReader(c), uint32(1), make([]byte, 9)
	return func() {
		// Indexed fields of RFC 7541, appendix A: GET, http, /.
		must(t, fr.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: []byte{0x82, 0x86, 0x84, 0x41, 1, 'h'}, EndStream: true, EndHeaders: true,
		}))
		id += 2
		for {
			_, err := io.ReadFull(r, head)
			must(t, err)
			_, _ = r.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2]))
			typ, flags := http2.FrameType(head[3]), http2.Flags(head[4])
			if typ == http2.FrameSettings && flags&http2.FlagSettingsAck == 0 {
				must(t, fr.WriteSettingsAck())
			}
			if (typ == http2.FrameHeaders || typ == http2.FrameData) && flags.Has(http2.FlagDataEndStream) {
				break
			}
		}
	}
}

// What a request costs that nobody aborts. The rival is plain net/http.
func BenchmarkRequest(b *testing.B) {
	for _, v := range variants {
		if v.tls || v.xnet || v.bare {
			continue
		}
		for _, l := range looks {
			b.Run(v.name+"/"+l.name, func(b *testing.B) {
				once := roundTrips(b, v, l.configured, l.h)
				once()
				b.ReportAllocs()
				for b.Loop() {
					once()
				}
			})
		}
	}
}

// A request whose handler never looks costs at most two allocations more than
// with plain net/http, also where a handler is around ours.
func TestHandler_allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, v := range variants {
		if v.tls || v.xnet || v.bare {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			once := roundTrips(t, v, false, looks[0].h)
			once()
			plain := testing.AllocsPerRun(2000, once)
			for name, wrap := range map[string]func(http.Handler) http.Handler{
				"in place": func(h http.Handler) http.Handler { return h }, "around": around,
			} {
				s := v.configure(t, looks[1].h)
				s.Handler = wrap(s.Handler)
				s.listen(t)
				once := v.asker(t, s)
				once()
				if n := testing.AllocsPerRun(2000, once); n > plain+2 {
					t.Errorf("%s: %v allocations per request, plain %v: want at most 2 more", name, n, plain)
				}
			}
		})
	}
}
