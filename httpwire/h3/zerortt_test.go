package h3_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/hangup-go/hangup/httpwire"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// client0RTT is the environment variable that makes this program the client of
// TestConfigure_0RTT; its value is the server's address.
//
// The client is a process of its own: quic-go v0.65.0 has a data race in its 0-RTT
// client (newFlowController, handleTransportParameters). Its reports go to its own
// standard error, and don't count; the server's side is checked as everything else.
const client0RTT = "HANGUP_TEST_0RTT"

// run0RTT sends a whole request, and on a second connection one in 0-RTT, which it leaves when
// told to on in.
func run0RTT(addr string, in io.Reader) int {
	conf := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost",
		NextProtos: []string{http3.NextProtoH3}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	first := &http3.Transport{TLSClientConfig: conf}
	if err := roundTrip(first, http.MethodGet, addr); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return 1
	}
	_ = first.Close()
	second := &http3.Transport{TLSClientConfig: conf}
	done := make(chan error, 1)
	go func() { done <- roundTrip(second, http3.MethodGet0RTT, addr) }()
	_, _ = bufio.NewReader(in).ReadString('\n')
	_ = second.Close()
	<-done
	return 0
}

func roundTrip(tr *http3.Transport, method, addr string) error {
	r, err := http.NewRequest(method, "https://"+addr+"/", nil)
	if err != nil {
		return err
	}
	rsp, err := tr.RoundTrip(r)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	_, err = io.Copy(io.Discard, rsp.Body)
	return err
}

// 0-RTT requests are served, and watched.
func TestConfigure_0RTT(t *testing.T) {
	conns := make(chan *quic.Conn, 4)
	s := serve(t, nil, func(srv *http3.Server) {
		srv.ConnContext = func(ctx context.Context, c *quic.Conn) context.Context {
			conns <- c
			return ctx
		}
	})
	client := exec.CommandContext(t.Context(), os.Args[0])
	client.Env = append(os.Environ(), client0RTT+"="+s.addr, "GORACE=exitcode=0")
	leave, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	v := s.next()
	v.finish()
	v.untouched()

	v = s.next()
	recv(t, conns, "the first connection")
	if c := recv(t, conns, "the second connection"); !c.ConnectionState().Used0RTT {
		t.Error("the second request came without 0-RTT")
	}
	if v.r.TLS == nil || v.r.Method != http.MethodGet {
		t.Errorf("TLS %v, method %q", v.r.TLS, v.r.Method)
	}
	if err := leave.Close(); err != nil {
		t.Fatal(err)
	}
	if d := v.disconnect(); d.Kind != httpwire.Closed { // its code is 0, or hidden during the handshake
		t.Errorf("got %v, want closed", d)
	}
	if err := client.Wait(); err != nil {
		t.Errorf("client: %v", err)
	}
}
