package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// Sockets are bound but not served yet: connections wait in the kernel.
type Sockets struct {
	Plain  net.Listener   // cleartext
	Secure net.Listener   // TCP, for TLS
	QUIC   net.PacketConn // UDP on the port of Secure
	cert   tls.Certificate
}

// Listen loads or makes the certificate and binds the addresses.
func Listen(o *Options) (*Sockets, error) {
	cert, err := certificate(o)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	plain, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	secure, quic, err := listenBoth(o.TLSAddr)
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	return &Sockets{plain, secure, quic, cert}, nil
}

// listenBoth binds one port for TCP and UDP. If the kernel is to pick it, it
// picks one for TCP, whose UDP twin may be taken: then it picks again.
func listenBoth(addr string) (net.Listener, net.PacketConn, error) {
	const tries = 100
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		at := l.Addr().(*net.TCPAddr)
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
		if err == nil {
			return l, u, nil
		}
		err = errors.Join(err, l.Close())
		if _, port, _ := net.SplitHostPort(addr); port != "0" || try == tries {
			return nil, nil, err
		}
	}
}

// String is what a server prints before it serves its first request: one line
// each, a word and a value, for programs to read as well.
func (s *Sockets) String() string {
	return fmt.Sprintf("http http://%s\nhttps https://%[2]s\nh3 https://%[2]s\nspki-sha256 %s\n",
		s.Plain.Addr(), s.Secure.Addr(), spki(s.cert))
}

// Trust is a pool that holds the server's certificate, for clients in the same
// process.
func (s *Sockets) Trust() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.cert.Leaf)
	return pool
}

// Close closes the sockets; to do so again is no error.
func (s *Sockets) Close() error {
	return errors.Join(closed(s.Plain.Close()), closed(s.Secure.Close()), closed(s.QUIC.Close()))
}

// closed leaves out the error of closing twice: net/http closes its listeners.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
