package httpwire_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hangup-go/hangup/httpwire"
)

// reader is one end of a connection that a script acts on. Without read-ahead Start
// and Stop do nothing.
type reader struct {
	net.Conn
	start, stop func()

	got []byte
	err error // that ended the reading
}

// sendPieces sends data in pieces of the sizes that the script says, and leaves.
func sendPieces(c *net.TCPConn, data, sizes []byte, reset bool) {
	for i := 0; len(data) > 0; i++ {
		n := 1 + i%3
		if len(sizes) > 0 {
			n = 1 + int(sizes[i%len(sizes)])*(1+i%97)
		}
		n = min(n, len(data))
		if _, err := c.Write(data[:n]); err != nil {
			break
		}
		data = data[n:]
	}
	if reset {
		_ = c.SetLinger(0)
	}
	_ = c.Close()
}

// play does what the script says, one step per byte, and then reads to the end. It
// returns what was not as it is on a plain connection.
func (r *reader) play(script []byte) error {
	for _, op := range script {
		n := int(op >> 3)
		var err error
		switch op & 7 {
		case 0:
			r.start()
		case 1:
			r.stop()
		case 2:
			err = r.interrupted(n)
		case 3:
			err = r.behindDeadline()
		case 4:
			m, rerr := r.Read(nil)
			if m != 0 || rerr != nil {
				err = fmt.Errorf("a read of nothing: %d, %w", m, rerr)
			}
		case 5: // a deadline that is replaced before it counts
			_ = r.SetDeadline(time.Now().Add(time.Duration(n) * time.Microsecond))
			err = r.SetDeadline(time.Time{})
		case 6: // one that may or may not pass
			_ = r.SetReadDeadline(time.Now().Add(time.Duration(n) * time.Microsecond))
			err = r.read(1+n*n, true)
			_ = r.SetReadDeadline(time.Time{})
		case 7:
			err = r.read(1+n*n*n, false)
		}
		if err != nil {
			return err
		}
	}
	for r.err == nil {
		_ = r.read(5000, false)
	}
	return nil
}

func (r *reader) read(n int, mayBeLate bool) error {
	if r.err != nil {
		return nil
	}
	b := make([]byte, n)
	n, err := r.Read(b)
	r.got = append(r.got, b[:n]...)
	switch {
	case err != nil && mayBeLate && errors.Is(err, os.ErrDeadlineExceeded):
	case err != nil:
		r.err = err
	case n == 0:
		return errors.New("Read returned nothing, and no error")
	}
	return nil
}

// interrupted is net/http's background read: begun, and ended by a deadline.
func (r *reader) interrupted(n int) error {
	if r.err != nil {
		return nil
	}
	res := reading(r.Conn, 1)
	for range n {
		r.start()
		r.stop()
	}
	_ = r.SetReadDeadline(past)
	got := <-res
	_ = r.SetReadDeadline(time.Time{})
	r.got = append(r.got, got.b...)
	if got.err != nil && !errors.Is(got.err, os.ErrDeadlineExceeded) {
		r.err = got.err
	}
	return nil
}

func (r *reader) behindDeadline() error {
	_ = r.SetReadDeadline(past)
	n, err := r.Read(make([]byte, 10))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a read behind its deadline: %d, %w", n, err)
	}
	return r.SetReadDeadline(time.Time{})
}

// Whatever is done to a connection that reads ahead: it gives the bytes and the end
// that a plain one gives.
func FuzzReadAhead(f *testing.F) {
	f.Add([]byte{}, []byte{}, uint16(0), uint16(1), false)
	f.Add([]byte{0, 0xff, 1, 0xff}, []byte{1}, uint16(1000), uint16(16), false)
	f.Add([]byte{0, 2, 0x17, 3, 1, 7, 6, 0x86, 0, 0x0a, 4}, []byte{200, 1}, uint16(60000), uint16(3000), true)
	f.Add([]byte{0, 0x82, 0x82, 0x82, 0x7f, 1, 0, 0x7f}, []byte{9, 80, 255}, uint16(65535), uint16(65535), false)
	f.Add([]byte{0, 3, 0, 3, 1, 3, 0, 0xe6, 0xe6, 0xe6, 3}, []byte{2}, uint16(5000), uint16(1), false)
	f.Add([]byte{0, 0xa5, 3, 0xfd, 5, 1, 0xa5, 0, 2, 2, 2}, []byte{255}, uint16(40000), uint16(17000), true)
	// Found by fuzzing.
	f.Add([]byte("O\x8b>\x91\xef\n\x95\xc7 222\x10222229222222222222222222222222222222222\x152222222222222"),
		[]byte("O\x8b>\x91\xef\n\x95\xc7 "), uint16(65410), uint16(65532), false)
	f.Add([]byte("222222B22222222222222222222222222222222222222B2222222222222222222222"),
		[]byte("0"), uint16(65315), uint16(65432), true)
	f.Add([]byte("Z0220221B2BB22202222"), []byte("0"), uint16(977), uint16(186), false)
	f.Add([]byte("\xa6"), []byte("\xe1"), uint16(1012), uint16(0), false)
	f.Fuzz(func(t *testing.T, script, sizes []byte, size, limit uint16, reset bool) {
		script = script[:min(len(script), 200)]
		data := noise(int(size))
		ends := make(map[string]error)
		for _, name := range []string{"plain", "ahead"} {
			s, c := tcpPair(t)
			must(t, s.SetDeadline(time.Time{}))
			r := &reader{Conn: s, start: func() {}, stop: func() {}}
			if name == "ahead" {
				a := httpwire.ReadAhead(s, 1+int(limit))
				r = &reader{Conn: a, start: a.Start, stop: a.Stop}
			}
			sent := make(chan struct{})
			go func() { defer close(sent); sendPieces(c, data, sizes, reset) }()
			if err := r.play(script); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			<-sent
			must(t, r.Close())
			// A reset discards what the kernel has not sent.
			if !bytes.HasPrefix(data, r.got) || !reset && len(r.got) != len(data) {
				t.Errorf("%s: read %d bytes of %d, or others", name, len(r.got), len(data))
			}
			ends[name] = r.err
		}
		for _, end := range []error{io.EOF, errConnReset} {
			if errors.Is(ends["plain"], end) != errors.Is(ends["ahead"], end) {
				t.Errorf("ended by %v, on a plain connection by %v", ends["ahead"], ends["plain"])
			}
		}
	})
}

// exchangeScript makes pipelined requests of a script: one of each byte.
func exchangeScript(script []byte) (sent string, n int) {
	var b strings.Builder
	body := string(noise(20_000))
	for i, op := range script[:min(len(script), 12)] {
		size := int(op>>4) * 1200
		switch path := fmt.Sprintf("/%d/%d", i, op&3); op >> 2 & 3 {
		case 0:
			fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path)
		case 1:
			fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", path)
			for j := 0; j < size; j += 1000 {
				m := min(1000, size-j)
				fmt.Fprintf(&b, "%x\r\n%s\r\n", m, body[j:j+m])
			}
			b.WriteString("0\r\n\r\n")
		default:
			fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, size, body[:size])
		}
		n++
	}
	return b.String(), n
}

// echoSome answers with what it has read of its body: nothing, some, all, all in
// full duplex.
func echoSome(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil
	_, how, _ := strings.Cut(r.URL.Path[1:], "/")
	var b []byte
	switch how {
	case "1":
		b, _ = io.ReadAll(io.LimitReader(r.Body, 700))
	case "2":
		b, _ = io.ReadAll(r.Body)
	case "3":
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.CopyN(w, r.Body, 3000)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	}
	_, _ = w.Write(b)
}

// dialogue sends and returns the answers. Where the chunks of one begin depends on
// the sizes of the handler's reads, so they are parsed.
func (s *server) dialogue(t testing.TB, sent string, sizes []byte) (answers []string) {
	d := net.Dialer{Timeout: bound}
	c, err := d.Dial("tcp", s.addr)
	must(t, err)
	defer func() { _ = c.Close() }()
	must(t, c.SetDeadline(time.Now().Add(bound)))
	go func() {
		for i := 0; len(sent) > 0; i++ {
			n := 1000
			if len(sizes) > 0 {
				n = 1 + int(sizes[i%len(sizes)])*(1+i%97)
			}
			n = min(n, len(sent))
			if _, err := io.WriteString(c, sent[:n]); err != nil {
				return
			}
			sent = sent[n:]
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	for br := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return append(answers, err.Error())
		}
		b, err := io.ReadAll(resp.Body)
		answers = append(answers, fmt.Sprintf("%s %v %v: %q, %v", resp.Status, resp.ContentLength, resp.Close, b, err))
	}
}

// A server that reads ahead answers pipelined requests as one that does not.
func FuzzReadAhead_server(f *testing.F) {
	plain := variants[0].start(f, http.HandlerFunc(echoSome))
	var aheads []*server
	for _, n := range []int{1, 5000, 1 << 20} {
		v := variants[0]
		v.opts = &httpwire.Options{BodyReadAhead: n}
		aheads = append(aheads, v.start(f, http.HandlerFunc(echoSome)))
	}
	f.Add([]byte{0}, []byte{1})
	f.Add([]byte{0xf4, 0x48, 0xf9, 0xfa, 0xf6, 0xfb, 0xff, 0}, []byte{255})
	f.Add([]byte{0x84, 0, 0x89, 0, 0x8a, 0, 0x8b, 0}, []byte{17, 255, 0})
	f.Add([]byte{0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8}, []byte{})
	// Found by fuzzing.
	f.Add([]byte("\x00\xb3\xb3\xb3\xb3\xb3\xb3\xb3\xb3"),
		[]byte("\x00\xb3\xb3\xb3\xb3\xb3\xb3\xb3\xb3\xb3\xb3\xb3\xa7\xa7\xa7\xa7\xa7\xa7\xa7\xa7\xb3\xb3\xb3\x80\x01"))
	f.Add([]byte("\x80\x00\x89\x00\x00\x89\x00\x8a\x8a\x00\x8b"), []byte("\x80\x00\x89\x00\x00\x89\x00"))
	f.Add([]byte("\x8b\xf0\xe5\xff\xe3\xd9\xf4\x00"), []byte("\x8b\xf0\xe5\xff\xe3\xd9\xf4\x00"))
	f.Fuzz(func(t *testing.T, script, sizes []byte) {
		sent, n := exchangeScript(script)
		want := plain.dialogue(t, sent, sizes)
		if len(want) > n+1 {
			t.Fatalf("%d answers to %d requests", len(want)-1, n)
		}
		for _, s := range aheads {
			if diff := cmp.Diff(want, s.dialogue(t, sent, sizes)); diff != "" {
				t.Errorf("read-ahead of %d (-without +with):\n%.2000s", s.opts.BodyReadAhead, diff)
			}
		}
	})
}
