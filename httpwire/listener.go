package httpwire

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

// Listener wraps l so that the connections it accepts keep the evidence of how
// their clients leave: errors of reads and writes, and the TCP state at their
// close. Use it below TLS: srv.ServeTLS(httpwire.Listener(l), cert, key), or
// tls.NewListener(httpwire.Listener(l), config).
//
// A connection has a NetConn method that returns the one that l accepted. It
// passes on CloseRead, CloseWrite and SyscallConn where that has them. A deadline that was taken away
// from a [net.TCPConn] is not taken away again, until one is set or NetConn is called: l must
// neither set deadlines of a TCPConn that it has returned nor close it.
func Listener(l net.Listener) net.Listener {
	if l == nil {
		panic("httpwire: nil listener")
	}
	if w, ok := l.(*listener); ok {
		return w
	}
	return &listener{Listener: l}
}

type listener struct {
	net.Listener
	closed atomic.Bool
}

// Close closes the listener. Server.Close does so before it closes connections.
func (l *listener) Close() error {
	l.closed.Store(true)
	return l.Listener.Close()
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	switch c.(type) {
	case *conn, *tls.Conn: // net/http has to see that it is TLS
		return c, nil
	}
	w := &conn{Conn: c}
	if w.direct, _ = c.(*net.TCPConn); w.direct == nil {
		w.share() // what a deadline means there is not known
	}
	w.tcp.bind(c)
	w.tcp.shutting = &l.closed
	return w, nil
}

// conn is an accepted connection that keeps its evidence.
type conn struct {
	net.Conn
	direct *net.TCPConn // Conn, where it is one: called without a table of methods
	tcp    tcp

	noRead, noWrite noDeadline
}

func (c *conn) NetConn() net.Conn {
	c.share()
	return c.Conn
}

// share says that somebody else may set deadlines of the connection below.
func (c *conn) share() {
	c.noRead.share()
	c.noWrite.share()
}

func (c *conn) Read(p []byte) (n int, err error) {
	if a := c.tcp.ahead.Load(); a != nil {
		n, err = a.read(p)
	} else if c.direct != nil {
		n, err = c.direct.Read(p)
	} else {
		n, err = c.Conn.Read(p)
	}
	if err != nil {
		c.tcp.note(err, wire.ReadErr)
	}
	return n, err
}

func (c *conn) Write(p []byte) (n int, err error) {
	if c.tcp.tls {
		c.tcp.beforeAlert(p)
	}
	if c.direct != nil {
		n, err = c.direct.Write(p)
	} else {
		n, err = c.Conn.Write(p)
	}
	if err != nil && !c.tcp.lateCloseNotify(p, err) {
		c.tcp.note(err, wire.WriteErr)
	}
	return n, err
}

// ReadFrom keeps sendfile and splice. Its error may be the source's, which may be
// a connection as well: only the TCP state tells.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	rf, ok := c.Conn.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	n, err := rf.ReadFrom(src)
	if err != nil {
		c.tcp.look()
	}
	return n, err
}

// SetDeadline and SetReadDeadline reach the reader that is ahead as well.
func (c *conn) SetDeadline(t time.Time) (err error) {
	if t.IsZero() && c.noRead.known() && c.noWrite.known() {
		return nil
	}
	r, w := c.noRead.begin(t), c.noWrite.begin(t)
	if a := c.tcp.ahead.Load(); a != nil {
		err = a.setDeadline(t, true)
	} else {
		err = c.Conn.SetDeadline(t)
	}
	c.noRead.end(r, t, err)
	c.noWrite.end(w, t, err)
	return err
}

// SetReadDeadline is as SetDeadline.
func (c *conn) SetReadDeadline(t time.Time) (err error) {
	if t.IsZero() && c.noRead.known() {
		return nil
	}
	r := c.noRead.begin(t)
	if a := c.tcp.ahead.Load(); a != nil {
		err = a.setDeadline(t, false)
	} else if c.direct != nil {
		err = c.direct.SetReadDeadline(t)
	} else {
		err = c.Conn.SetReadDeadline(t)
	}
	c.noRead.end(r, t, err)
	return err
}

// SetWriteDeadline is as SetDeadline.
func (c *conn) SetWriteDeadline(t time.Time) (err error) {
	if t.IsZero() && c.noWrite.known() {
		return nil
	}
	w := c.noWrite.begin(t)
	if c.direct != nil {
		err = c.direct.SetWriteDeadline(t)
	} else {
		err = c.Conn.SetWriteDeadline(t)
	}
	c.noWrite.end(w, t, err)
	return err
}

// Close reads the TCP state, deletes the monitor's registration and closes, in
// this order.
func (c *conn) Close() error {
	c.tcp.closing()
	if a := c.tcp.ahead.Load(); a != nil {
		a.close()
	}
	c.share() // a deadline of a closed connection is an error
	return c.Conn.Close()
}

// CloseWrite is what net/http calls before it closes a connection with unread
// input.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		c.tcp.shutWrite()
		return cw.CloseWrite()
	}
	return c.unsupported("close write")
}

func (c *conn) CloseRead() error {
	if cr, ok := c.Conn.(interface{ CloseRead() error }); ok {
		c.tcp.shutRead()
		return cr.CloseRead()
	}
	return c.unsupported("close read")
}

func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, c.unsupported("syscall")
}

func (c *conn) unsupported(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: syscall.EINVAL}
}
