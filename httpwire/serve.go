package httpwire

import (
	"net"
	"net/http"
)

// ListenAndServe is srv.ListenAndServe on a wrapped [Listener].
func ListenAndServe(srv *http.Server) error {
	l, err := listen(srv.Addr, ":http")
	if err != nil {
		return err
	}
	return srv.Serve(l)
}

// ListenAndServeTLS is srv.ListenAndServeTLS on a wrapped [Listener].
func ListenAndServeTLS(srv *http.Server, certFile, keyFile string) error {
	l, err := listen(srv.Addr, ":https")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // ServeTLS leaves it open where the certificate fails
	return srv.ServeTLS(l, certFile, keyFile)
}

func listen(addr, fallback string) (net.Listener, error) {
	if addr == "" {
		addr = fallback
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return Listener(l), nil
}
