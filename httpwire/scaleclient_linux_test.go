package httpwire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The clients of the scale tests live in processes of their own: descriptors are
// limited by process. Such a process is this test binary, started with the
// environment below; what it does is in init, before any test.
const clientEnv = "HANGUP_SCALE_CLIENT"

// A crowd is what a client process is told.
type crowd struct {
	addr, source string
	idle         int // connections that make one request, and keep the connection
	held         int // connections that are in the middle of a request
}

// perProcess is less than any limit of descriptors that is likely, and than the
// ephemeral ports of one source address.
const perProcess = 9000

func init() {
	var c crowd
	if _, err := fmt.Sscan(os.Getenv(clientEnv), &c.addr, &c.source, &c.idle, &c.held); err != nil {
		return // this is no client
	}
	conns, err := c.dial()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or the test has died
	os.Exit(len(conns) - c.idle - c.held)
}

func (c crowd) dial() ([]net.Conn, error) {
	conns := make([]net.Conn, c.idle+c.held)
	var wg sync.WaitGroup
	const dialers = 8
	errs := make([]error, dialers)
	for d := range dialers {
		wg.Go(func() {
			for i := d; i < len(conns) && errs[d] == nil; i += dialers {
				conns[i], errs[d] = c.visit(i < c.held)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return conns, nil
}

// visit makes a request; if held, one that is not answered, as its body never
// comes.
func (c crowd) visit(held bool) (net.Conn, error) {
	d := net.Dialer{Timeout: bound, LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.source)}, Control: bindNoPort}
	conn, err := d.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	if held {
		_, err = io.WriteString(conn, "POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n")
		return conn, err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(bound))
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return conn, err
}

// bindNoPort leaves the choice of the port to connect, which knows the server's. A
// bind to an address alone looks for a port that nobody uses at all, TIME_WAIT
// included, and that takes seconds where thousands of connections have been.
func bindNoPort(_, _ string, raw syscall.RawConn) error {
	var err error
	cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	return errors.Join(cerr, err)
}

// clients starts processes with so many connections, of which the first are held.
// They are connected when it returns, and drop everything at once when the
// function that it returns is called.
func clients(t *testing.T, addr string, n, held int) (drop func()) {
	t.Helper()
	var all []*exec.Cmd
	ready := make(chan string)
	for n > 0 {
		share := min(n, perProcess)
		source := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		c := crowd{addr: addr, source: source, held: min(held, share)}
		c.idle = share - c.held
		n, held = n-share, held-c.held
		all = append(all, startClient(t, c, ready))
	}
	for range all {
		if s := receive(t, ready, "the clients to connect"); s != "ready" {
			t.Fatalf("a client process: %s", s)
		}
	}
	return func() {
		for _, cmd := range all {
			_ = cmd.Process.Kill()
		}
		for _, cmd := range all {
			_ = cmd.Wait()
		}
	}
}

// startClient starts one process, and sends its first line of output to ready.
func startClient(t *testing.T, c crowd, ready chan<- string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), clientEnv+"="+fmt.Sprint(c.addr, " ", c.source, " ", c.idle, " ", c.held))
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe() // closed when this process dies
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	go func() {
		line, _, err := bufio.NewReader(out).ReadLine()
		if err != nil {
			line = []byte(err.Error())
		}
		ready <- string(line)
	}()
	return cmd
}
