package httpwire_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// deadlines is a connection that says which deadlines were set: r, w or rw, and "-" in front for none.
type deadlines struct {
	net.Conn
	mu   sync.Mutex
	sets []string
}

func (d *deadlines) note(which string, t time.Time) {
	if t.IsZero() {
		which = "-" + which
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sets = append(d.sets, which)
}

func (d *deadlines) SetDeadline(t time.Time) error {
	d.note("rw", t)
	return d.Conn.SetDeadline(t)
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.note("r", t)
	return d.Conn.SetReadDeadline(t)
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.note("w", t)
	return d.Conn.SetWriteDeadline(t)
}

// one is a listener of one connection.
type one struct {
	net.Listener
	c net.Conn
}

func (l one) Accept() (net.Conn, error) { return l.c, nil }

// A deadline is taken away from the connection below only where it may have one: once it has none,
// nothing is done until one is set, or somebody else might.
func TestListener_noDeadline(t *testing.T) {
	var none time.Time
	later := time.Now().Add(time.Hour)
	r := func(d time.Time) func(net.Conn) { return func(c net.Conn) { _ = c.SetReadDeadline(d) } }
	w := func(d time.Time) func(net.Conn) { return func(c net.Conn) { _ = c.SetWriteDeadline(d) } }
	rw := func(d time.Time) func(net.Conn) { return func(c net.Conn) { _ = c.SetDeadline(d) } }
	netConn := func(c net.Conn) { c.(interface{ NetConn() net.Conn }).NetConn() }
	for _, tt := range []struct {
		name string
		do   []func(net.Conn)
		want []string
	}{
		{"a new connection may have one", []func(net.Conn){r(none), w(none)}, []string{"-r", "-w"}},
		{"once is enough", []func(net.Conn){r(none), r(none), w(none), w(none), rw(none)}, []string{"-r", "-w"}},
		{"both at once", []func(net.Conn){rw(none), r(none), w(none), rw(none)}, []string{"-rw"}},
		{"one of both", []func(net.Conn){r(none), rw(none), rw(none)}, []string{"-r", "-rw"}},
		{"again after one was set", []func(net.Conn){r(none), r(later), r(none), r(none)}, []string{"-r", "r", "-r"}},
		{"that of the other direction", []func(net.Conn){rw(none), w(later), r(none), w(none)}, []string{"-rw", "w", "-w"}},
		{"set for both", []func(net.Conn){rw(none), rw(later), w(none), r(none)}, []string{"-rw", "rw", "-w", "-r"}},
		{"what is set is set each time", []func(net.Conn){r(later), r(later)}, []string{"r", "r"}},
		{"somebody else has the connection", []func(net.Conn){rw(none), netConn, r(none), r(none), w(none)}, []string{"-rw", "-r", "-r", "-w"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, client := net.Pipe()
			defer client.Close()
			below := &deadlines{Conn: server}
			c := httpwire.Served(below)
			defer c.Close()
			for _, do := range tt.do {
				do(c)
			}
			if !slices.Equal(below.sets, tt.want) {
				t.Errorf("below: %v, want %v", below.sets, tt.want)
			}
		})
	}
}

// So it is with net's own connections, until somebody else has them.
func TestListener_noDeadlineTCP(t *testing.T) {
	c, _ := accepted(t)
	check := func(when string, want bool) {
		t.Helper()
		if r, w := httpwire.NoDeadline(c); r != want || w != want {
			t.Errorf("%s: known to have none: %v, %v, want %v", when, r, w, want)
		}
	}
	check("at first", false)
	must(t, c.SetDeadline(time.Time{}))
	check("taken away", true)
	httpwire.Lowest(c)
	check("looked below by ourselves", true)
	c.(interface{ NetConn() net.Conn }).NetConn()
	check("given away", false)
}

// Whose connections are not net's own may mean something else by a deadline that is none: they are told
// each time.
func TestListener_noDeadlineOthers(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	below := &deadlines{Conn: server}
	c, err := httpwire.Listener(one{c: below}).Accept()
	must(t, err)
	defer c.Close()
	for range 2 {
		must(t, c.SetReadDeadline(time.Time{}))
	}
	if want := []string{"-r", "-r"}; !slices.Equal(below.sets, want) {
		t.Errorf("below: %v, want %v", below.sets, want)
	}
}

// What Configure itself looks for below a connection shares it with nobody.
func TestListener_noDeadlineConfigured(t *testing.T) {
	var srv http.Server
	must(t, httpwire.Configure(&srv, &httpwire.Options{PeerTimeout: 5 * time.Second}))
	server, client := net.Pipe()
	defer client.Close()
	below := &deadlines{Conn: server}
	c := httpwire.Served(below)
	defer c.Close()
	srv.ConnContext(context.WithValue(t.Context(), http.ServerContextKey, &srv), c)
	for range 3 {
		must(t, c.SetReadDeadline(time.Time{}))
	}
	if want := []string{"-r"}; !slices.Equal(below.sets, want) {
		t.Errorf("below: %v, want %v", below.sets, want)
	}
}

// A connection that is closed says so, as net's do, and who could not take a deadline away tries again.
func TestListener_noDeadlineFails(t *testing.T) {
	for name, set := range map[string]func(net.Conn) error{
		"SetDeadline":      func(c net.Conn) error { return c.SetDeadline(time.Time{}) },
		"SetReadDeadline":  func(c net.Conn) error { return c.SetReadDeadline(time.Time{}) },
		"SetWriteDeadline": func(c net.Conn) error { return c.SetWriteDeadline(time.Time{}) },
	} {
		c, _ := accepted(t)
		must(t, c.SetDeadline(time.Time{}))
		must(t, c.Close())
		if err := set(c); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s of a closed connection: %v, want ErrClosed", name, err)
		}
		failing := httpwire.Served(unable{})
		for range 2 {
			if err := set(failing); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s of a connection that can't: %v", name, err)
			}
		}
	}
}

// unable is a connection that has no deadlines.
type unable struct{ net.Conn }

func (unable) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (unable) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (unable) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (unable) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// Of two at the same time the one that reaches the connection last counts, in whatever order they begin
// and return: a deadline that may be there can be taken away.
func TestListener_noDeadlineOvertaken(t *testing.T) {
	none, later := time.Time{}, time.Now().Add(time.Hour)
	type step struct {
		before bool // it is held up before it reaches the connection, else behind that
		t      time.Time
	}
	for _, tt := range []struct {
		name  string
		first step // begins, and is held up
		held  bool // the second is held up too, behind the connection
	}{
		{name: "set, overtaken", first: step{t: later, before: true}},
		{name: "set, overtaken, and returns first", first: step{t: later, before: true}, held: true},
		{name: "taken away, then set", first: step{t: none}},
		{name: "taken away, then set, and returns first", first: step{t: none}, held: true},
	} {
		for name, set := range map[string]func(net.Conn, time.Time) error{
			"SetDeadline": net.Conn.SetDeadline, "SetReadDeadline": net.Conn.SetReadDeadline, "SetWriteDeadline": net.Conn.SetWriteDeadline,
		} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				server, client := net.Pipe()
				defer client.Close()
				below := &slow{Conn: server, gates: []*hold{
					{before: tt.first.before, in: make(chan struct{}), out: make(chan struct{})}, nil,
				}}
				if tt.held {
					below.gates[1] = &hold{in: make(chan struct{}), out: make(chan struct{})}
				}
				c := httpwire.Served(below)
				defer c.Close()
				must(t, set(c, none)) // goes by without a gate
				second := none
				if tt.first.t.IsZero() {
					second = later
					must(t, set(c, later)) // else nothing is to be taken away
				}
				below.gated.Store(true)
				var ends [2]chan error
				for i, d := range []time.Time{tt.first.t, second} {
					ends[i] = make(chan error, 1)
					go func() { ends[i] <- set(c, d) }()
					if g := below.gates[i]; g != nil {
						receive(t, g.in, "a call to be held up")
					} else {
						must(t, receive(t, ends[i], "a call to return"))
					}
				}
				for i, g := range below.gates {
					if g != nil {
						close(g.out)
						must(t, receive(t, ends[i], "a call to return"))
					}
				}
				if below.last.Load() == nil {
					t.Fatal("no deadline: this tests nothing")
				}
				must(t, set(c, none))
				if below.last.Load() != nil {
					t.Error("the deadline is still there, and can't be taken away")
				}
			})
		}
	}
}

// Who is woken by a deadline can take it away, though its setter has not returned.
func TestListener_noDeadlineWoken(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	g := &hold{in: make(chan struct{}), out: make(chan struct{})}
	below := &slow{Conn: server, gates: []*hold{g}}
	c := httpwire.Served(below)
	defer c.Close()
	must(t, c.SetReadDeadline(time.Time{}))
	below.gated.Store(true)
	set := make(chan error, 1)
	go func() { set <- c.SetReadDeadline(time.Now().Add(-time.Second)) }()
	receive(t, g.in, "the deadline to be set")
	woken := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		woken <- err
	}()
	if err := receive(t, woken, "the reader"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read: %v", err)
	}
	must(t, c.SetReadDeadline(time.Time{}))
	if below.last.Load() != nil {
		t.Error("the deadline is still there")
	}
	close(g.out)
	must(t, receive(t, set, "the setter to return"))
}

// slow holds up those of its setters' calls that have a gate, by their number.
type slow struct {
	net.Conn
	gates []*hold
	gated atomic.Bool
	calls atomic.Int32
	nth   atomic.Int32
	last  atomic.Pointer[time.Time] // the deadline that it has, nil if none
}

type hold struct {
	before  bool // in front of the connection, else behind it
	in, out chan struct{}
}

func (s *slow) SetDeadline(t time.Time) error      { return s.set(s.Conn.SetDeadline, t) }
func (s *slow) SetReadDeadline(t time.Time) error  { return s.set(s.Conn.SetReadDeadline, t) }
func (s *slow) SetWriteDeadline(t time.Time) error { return s.set(s.Conn.SetWriteDeadline, t) }

func (s *slow) set(below func(time.Time) error, t time.Time) error {
	s.calls.Add(1)
	g := &hold{}
	if s.gated.Load() {
		if n := int(s.nth.Add(1)) - 1; n < len(s.gates) && s.gates[n] != nil {
			g = s.gates[n]
		}
	}
	wait := func() {
		if g.in != nil {
			close(g.in)
			<-g.out
		}
	}
	if g.before {
		wait()
	}
	err := below(t)
	s.last.Store(nil)
	if !t.IsZero() {
		s.last.Store(&t)
	}
	if !g.before {
		wait()
	}
	return err
}

// Whoever has taken a deadline away can rely on that, whatever others have set before, all at the same
// time.
func TestListener_noDeadlineRace(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	c := httpwire.Served(server)
	defer c.Close()
	for range 300 {
		var others sync.WaitGroup
		for range 4 {
			others.Go(func() {
				for range 20 {
					d := time.Time{}
					if rand.IntN(2) == 0 {
						d = time.Now().Add(-time.Second)
					}
					switch rand.IntN(3) {
					case 0:
						_ = c.SetDeadline(d)
					case 1:
						_ = c.SetReadDeadline(d)
					case 2:
						_ = c.SetWriteDeadline(d)
					}
				}
			})
		}
		others.Wait()
		must(t, c.SetReadDeadline(time.Time{}))
		must(t, c.SetWriteDeadline(time.Time{}))
		back := make(chan error, 1)
		go func() {
			_, err := client.Write([]byte("x"))
			if err == nil {
				_, err = client.Read(make([]byte, 1))
			}
			back <- err
		}()
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the read has met a deadline that was taken away")
		}
		if _, err := c.Write([]byte("x")); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the write has met a deadline that was taken away")
		}
		must(t, receive(t, back, "the other end"))
	}
}

// accepted returns both ends of a connection, the server's from a wrapped listener.
func accepted(t *testing.T) (served net.Conn, client *net.TCPConn) {
	t.Helper()
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := httpwire.Listener(bare)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	served, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { _ = served.Close() })
	return served, c.(*net.TCPConn)
}
