package httpwire

import (
	"net"
	"os"
)

// ScanPings returns the types of the frames that the scanner of a server's frames
// finds in the pieces.
func ScanPings(pieces ...[]byte) (types []uint8) {
	var s frameScanner
	for _, b := range pieces {
		for len(b) > 0 {
			var f frame
			var ok bool
			if b, f, ok = s.next(b); ok && f.typ != frameRST && !f.ack {
				types = append(types, f.typ)
			}
		}
	}
	return types
}

// LostPing says whether a connection that is closed after the steps is one whose
// client did not answer: "ping", "own answer" and "goaway" are written, "stuck" begins a write,
// "wrote", "read", "read ahead", "handed on", "read error", "write error", "short write" are outcomes; "answer"
// is read, and "silence" is the time since.
func LostPing(steps ...string) bool {
	var c frameConn
	p := &c.pings
	writes := func(b []byte) {
		p.write()
		for len(b) > 0 {
			var f frame
			var ok bool
			if b, f, ok = c.sent.next(b); ok {
				c.sends(f)
			}
		}
	}
	for _, s := range steps {
		switch s {
		case "ping":
			writes([]byte{0, 0, 8, framePing, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
			p.wrote(17, nil)
		case "own answer":
			writes([]byte{0, 0, 8, framePing, flagAck, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
			p.wrote(17, nil)
		case "goaway":
			writes([]byte{0, 0, 8, frameGoAway, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
			p.wrote(17, nil)
		case "stuck":
			writes([]byte{0, 0, 1, 0, 0, 0, 0, 0, 1, 1})
		case "wrote":
			p.wrote(10, nil)
		case "write error":
			p.wrote(0, os.ErrDeadlineExceeded)
		case "short write":
			p.wrote(1, os.ErrDeadlineExceeded)
		case "answer":
			p.read(17, nil)
			b := []byte{0, 0, 8, framePing, flagAck, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}
			for len(b) > 0 {
				var f frame
				var ok bool
				if b, f, ok = c.scan.next(b); ok {
					c.reads(f)
				}
			}
		case "silence":
			p.heard.Add(-int64(2 * justNow))
		case "read":
			p.read(1, nil)
		case "read ahead": // two pings of the client's, and the server has not asked for them
			const ping = "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"
			p.read(copy(c.buf[:], ping+ping), nil)
			c.from, c.to = 0, 2*len(ping)
		case "handed on":
			_, _ = c.Read(make([]byte, 17))
		case "read error":
			p.read(0, net.ErrClosed)
		case "close":
			p.lost()
		default:
			panic(s)
		}
	}
	_, lost := p.lost()
	return lost
}
