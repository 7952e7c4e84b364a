// Package serve gives the example servers one face: HTTP/1.1, HTTP/2 and HTTP/3
// with hangup's middleware, a certificate made at start, /healthz, /debug/calls,
// and a drain on SIGINT and SIGTERM.
package serve

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"time"
)

// Options are what the flags set.
type Options struct {
	Addr    string        // cleartext HTTP/1.1 and h2c
	TLSAddr string        // HTTP/1.1 and HTTP/2 on TCP, HTTP/3 on UDP
	Cert    string        // PEM files; both empty: a self-signed certificate is made
	Key     string        //
	Drain   time.Duration // what running requests get after SIGINT or SIGTERM
}

// Flags declares the flags in fs and returns what they will have set.
func Flags(fs *flag.FlagSet) *Options {
	o := new(Options)
	fs.StringVar(&o.Addr, "addr", "127.0.0.1:8080", "`host:port` for cleartext HTTP/1.1 and h2c; port 0 picks a free one")
	fs.StringVar(&o.TLSAddr, "tls-addr", "127.0.0.1:8443", "`host:port` for TLS: HTTP/1.1 and HTTP/2 on TCP, HTTP/3 on UDP; port 0 picks one free for both")
	fs.StringVar(&o.Cert, "cert", "", "PEM `file` with the certificate chain (default: a self-signed one for localhost, made at start)")
	fs.StringVar(&o.Key, "key", "", "PEM `file` with the certificate's private key")
	fs.DurationVar(&o.Drain, "drain", 5*time.Second, "how long running requests get to end after SIGINT or SIGTERM before they are cancelled")
	return o
}

// Check finds what is wrong with the options by themselves.
func (o *Options) Check() error {
	for _, a := range []struct{ flag, value string }{{"-addr", o.Addr}, {"-tls-addr", o.TLSAddr}} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			return fmt.Errorf("%s: %w", a.flag, err)
		}
	}
	if (o.Cert == "") != (o.Key == "") {
		return errors.New("-cert and -key go together")
	}
	if o.Drain < 0 {
		return errors.New("-drain must not be negative")
	}
	return nil
}
