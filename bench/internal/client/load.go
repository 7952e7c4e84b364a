package client

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/hangup-go/hangup/bench/internal/protocol"
)

// A loader sends requests as fast as they are answered: with as little work of its own as it can,
// for the server is what is measured.
type loader struct {
	config  *tls.Config
	clients map[string][]func() // by protocol and address; each makes one request
}

// clients is how many connections there are to a server.
const clients = 8

func (l *loader) load(c command) Loaded {
	key := string(c.Proto) + c.Addr
	for len(l.clients[key]) < clients {
		l.clients[key] = append(l.clients[key], l.dial(c.Proto, c.Addr))
	}
	counts, start := make([]int, clients), time.Now()
	var wg sync.WaitGroup
	for i, ask := range l.clients[key] {
		wg.Go(func() {
			n := 0
			for time.Since(start) < c.For {
				ask()
				n++
			}
			counts[i] = n
		})
	}
	wg.Wait()
	res := Loaded{Took: time.Since(start)}
	for _, n := range counts {
		res.Requests += n
	}
	return res
}

func (l *loader) dial(p protocol.Protocol, addr string) (ask func()) {
	switch p {
	case protocol.HTTP1:
		c, err := net.Dial("tcp", addr)
		check(err)
		return asker1(c)
	case protocol.HTTP1TLS:
		c, err := dialTLS(addr, l.config, "http/1.1")
		check(err)
		return asker1(c)
	case protocol.HTTP3:
		return asker3(addr, l.config)
	}
	return asker2(dial2(p, addr, l.config, false))
}

func asker1(c net.Conn) (ask func()) {
	req, r := []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), bufio.NewReader(c)
	return func() {
		_, err := c.Write(req)
		check(err)
		for {
			line, err := r.ReadSlice('\n')
			check(err)
			if len(line) == 2 {
				break
			}
		}
		_, err = r.Discard(len(protocol.Answer))
		check(err)
	}
}

func asker2(f *frames) (ask func()) {
	f.SetReuseFrames()
	return func() {
		f.request("/")
		for {
			fr, err := f.ReadFrame()
			check(err)
			if d, ok := fr.(*http2.DataFrame); ok {
				if n := uint32(len(d.Data())); n > 0 {
					check(f.WriteWindowUpdate(0, n))
				}
				if d.StreamEnded() {
					return
				}
			}
		}
	}
}

func asker3(addr string, conf *tls.Config) (ask func()) {
	c, req := dial3(addr, conf), getRequest("https://"+addr)
	return func() {
		res, err := c.RoundTrip(req)
		check(err)
		_, err = io.Copy(io.Discard, res.Body)
		check(err)
		check(res.Body.Close())
	}
}
