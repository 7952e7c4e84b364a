package httpwire

import (
	"io"
	"io/fs"
	"net/http"
	"syscall"
)

// readFrom hands the copy down, where sendfile or splice may do it.
//
// The last bytes of a declared Content-Length are the last write, and evidence is
// put aside while they are under way; but not while the source blocks, which may
// be for ever. A regular file does not block, and has to be handed down as it
// is: then the whole copy counts as the last write. A socket has to, too, and
// blocks: the client that leaves between its last byte and the end of the copy
// is taken for one that left before. All other sources are followed.
func (p *response) readFrom(src io.Reader) (int64, error) {
	if !p.wroteHeader {
		p.header(http.StatusOK)
	}
	if p.w.proto != HTTP1 || p.head || p.bodiless() || p.length <= 0 {
		return p.handDown(src)
	}
	under, limit := src, int64(-1)
	if l, ok := src.(*io.LimitedReader); ok {
		under, limit = l.R, l.N
	}
	s := source{Reader: src, p: p}
	defer s.release() // a panic, too, must not leave it held
	var n int64
	var err error
	switch f := under.(type) {
	case file: // *os.File, and what its WriteTo makes of it
		regular, completes := p.regular(f, limit)
		if !regular {
			n, err = p.handDown(&s)
			break
		}
		if completes {
			s.hold()
		}
		n, err = p.handDown(src)
		s.hold()
	case syscall.Conn: // a socket
		n, err = p.handDown(src)
		s.hold()
	default:
		n, err = p.handDown(&s)
	}
	s.settle(err)
	return n, err
}

// A file is what sendfile takes.
type file interface {
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

func (p *response) handDown(src io.Reader) (int64, error) {
	n, err := p.ResponseWriter.(io.ReaderFrom).ReadFrom(src)
	p.wrote += n
	return n, err
}

// regular reports whether f is a regular file, and if so, whether it may have
// enough in it to complete the response: its position is not known. What says it
// is empty (in /proc) may block.
func (p *response) regular(f file, limit int64) (ok, completes bool) {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return false, false
	}
	n := st.Size()
	if limit >= 0 {
		n = min(n, limit)
	}
	return true, p.wrote+n >= p.length
}

// A source is a reader that is being copied to p. It holds evidence back from
// the read of the last byte on.
type source struct {
	io.Reader
	p       *response
	read    int64
	holding bool
}

// Read is called by the goroutine that copies, the handler's, when all that was
// read before has been written.
func (s *source) Read(b []byte) (int, error) {
	s.p.wrote += s.read // for the time being: handDown adds the sum
	s.settle(nil)
	s.p.wrote -= s.read
	n, err := s.Reader.Read(b)
	s.read += int64(n)
	if n > 0 && s.p.wrote+s.read >= s.p.length {
		s.hold()
	}
	return n, err
}

func (s *source) hold() {
	s.holding = true
	s.p.beginLast()
}

// settle decides about what was held.
func (s *source) settle(err error) {
	if s.holding {
		s.holding = false
		s.p.decide(s.p.sent(err))
	}
}

func (s *source) release() { s.settle(errHeld) }
