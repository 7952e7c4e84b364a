// Package client is the client of a run: a process of its own.
//
// Within one process the runtime finds the event at the end of the close that caused
// it, and nobody has to be woken: times would be too good. So the client is this program again, which gets
// commands on its standard input and answers on its standard output.
package client

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hangup-go/hangup/bench/internal/protocol"
)

const env = "HANGUP_BENCH_CLIENT"

// IsChild reports whether this process is to be the client: main calls Main then, and nothing else.
func IsChild() bool { return os.Getenv(env) != "" }

// A Process is the client, seen from the server. It does one thing at a time, whoever asks.
type Process struct {
	mu   sync.Mutex
	cmd  *exec.Cmd
	in   interface{ Close() error }
	enc  *json.Encoder
	dec  *json.Decoder
	once sync.Once
}

// A command to the client.
type command struct {
	Op    op
	Proto protocol.Protocol
	Addr  string
	Kind  protocol.Kind
	First int           // the first request's number
	Count int           // of requests, or connections
	Gap   time.Duration // between requests that are left
	For   time.Duration // how long to send requests for
}

type op string

const (
	opOpen    op = "open"
	opLeave   op = "leave"
	opLoad    op = "load"
	opHold    op = "hold"
	opRelease op = "release"
)

// Start starts the client. It trusts the certificate. Close ends it.
func Start(certificate []byte) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), env+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}
	return p, p.enc.Encode(certificate)
}

// Close ends the client and waits for that. It may be called more than once, from any goroutine.
func (p *Process) Close() (err error) {
	p.once.Do(func() {
		_ = p.in.Close()
		err = p.cmd.Wait()
	})
	return err
}

func (p *Process) do(c command, answer any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.enc.Encode(c)
	if err == nil {
		err = p.dec.Decode(answer)
	}
	if err != nil {
		return fmt.Errorf("the client's process, asked to %s: %w", c.Op, err)
	}
	return nil
}

// Open sends count requests, for the paths /first and up. It returns when they are sent, and
// Leave is about them.
func (p *Process) Open(proto protocol.Protocol, addr string, kind protocol.Kind, first, count int) error {
	return p.do(command{Op: opOpen, Proto: proto, Addr: addr, Kind: kind, First: first, Count: count}, &struct{}{})
}

// A Left says when a client left, and when it was to.
type Left struct{ At, Planned int64 }

// Leave leaves the requests one by one, one every gap or so (half of it to one and a half, by chance), at times that
// were planned before the first: a server that is slow to notice one does not put off the next. At is read just before the close
// or reset.
func (p *Process) Leave(gap time.Duration) (left []Left, err error) {
	err = p.do(command{Op: opLeave, Gap: gap}, &left)
	return left, err
}

// Loaded is what Load did.
type Loaded struct {
	Requests int
	Took     time.Duration
}

// Load sends requests on 8 kept connections as fast as they are answered, for so long.
func (p *Process) Load(proto protocol.Protocol, addr string, d time.Duration) (l Loaded, err error) {
	err = p.do(command{Op: opLoad, Proto: proto, Addr: addr, For: d}, &l)
	return l, err
}

// Hold opens so many connections of HTTP/1.1, with a request on each, until Release.
func (p *Process) Hold(addr string, count int) error {
	return p.do(command{Op: opHold, Addr: addr, Count: count}, &struct{}{})
}

// Release closes what Hold has opened.
func (p *Process) Release() error { return p.do(command{Op: opRelease}, &struct{}{}) }
