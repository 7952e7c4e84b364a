package client

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/bench/internal/clock"
)

// Main does one command after the other, until its input ends. What goes wrong is a panic: the server's
// process has its text on standard error, and an end of the answers.
func Main() {
	signal.Ignore(os.Interrupt) // the server's process decides
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	var der []byte
	check(in.Decode(&der))
	root, err := x509.ParseCertificate(der)
	check(err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	c := newChild(&tls.Config{RootCAs: pool})
	runtime.LockOSThread()
	for {
		var cmd command
		if err := in.Decode(&cmd); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		check(out.Encode(c.do(cmd)))
	}
}

// A child is the client's process.
type child struct {
	leaver
	loader
	leaves []func() // of the requests that are open
	held   []int    // descriptors
}

func newChild(config *tls.Config) *child {
	return &child{leaver: newLeaver(config), loader: loader{config: config, clients: map[string][]func(){}}}
}

func (c *child) do(cmd command) (answer any) {
	switch cmd.Op {
	case opOpen:
		c.leaves = c.leaves[:0]
		for i := range cmd.Count {
			c.leaves = append(c.leaves, c.request(cmd, cmd.First+i))
		}
	case opLeave:
		return c.leave(cmd)
	case opLoad:
		return c.load(cmd)
	case opHold:
		for range cmd.Count {
			c.held = append(c.held, open1(cmd.Addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		}
	case opRelease:
		for _, fd := range c.held {
			_ = unix.Close(fd)
		}
		c.held = nil
	}
	return struct{}{}
}

// leave leaves by plan.
func (c *child) leave(cmd command) (left []Left) {
	c.sendNext()
	for i, planned := range times(clock.Now(), len(c.leaves), cmd.Gap) {
		clock.SleepUntil(planned)
		now := clock.Now()
		c.leaves[i]()
		left = append(left, Left{now, planned})
	}
	return left
}

// times are n of them after start, from half a gap to one and a half apart: in step with nothing that comes round in the
// server, as its scheduler's turns of ten milliseconds.
func times(start int64, n int, gap time.Duration) (planned []int64) {
	for range n {
		start += int64(gap)/2 + rand.Int64N(int64(gap)+1)
		planned = append(planned, start)
	}
	return planned
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func getRequest(url string) *http.Request {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	check(err)
	return req
}
