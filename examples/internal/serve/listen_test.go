package serve_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hangup-go/hangup/examples/internal/serve"
)

// One port for TCP and UDP, and the lines that programs read.
func TestListen_prints(t *testing.T) {
	s, err := serve.Listen(options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tcp, udp := s.Secure.Addr().(*net.TCPAddr), s.QUIC.LocalAddr().(*net.UDPAddr)
	if tcp.Port != udp.Port || tcp.Port == 0 {
		t.Errorf("TCP on %v, UDP on %v", tcp, udp)
	}
	lines := strings.Split(s.String(), "\n")
	if len(lines) != 5 || lines[4] != "" {
		t.Fatalf("printed %q", s)
	}
	if lines[0] != "http http://"+s.Plain.Addr().String() || lines[1] != "https https://"+tcp.String() || lines[2] != "h3 https://"+udp.String() {
		t.Errorf("printed %q", s)
	}
	if hash, ok := strings.CutPrefix(lines[3], "spki-sha256 "); !ok || len(hash) != 44 {
		t.Errorf("printed %q", lines[3])
	}
}

// Ports that were chosen are not exchanged for others.
func TestListen_busy(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, args := range [][]string{
		{"-addr", tcp.Addr().String()},
		{"-tls-addr", tcp.Addr().String()},
		{"-tls-addr", "127.0.0.1:" + strconv.Itoa(udp.LocalAddr().(*net.UDPAddr).Port)},
	} {
		s, err := serve.Listen(options(t, args...))
		if err == nil {
			s.Close()
			t.Errorf("%v: no error", args)
		} else if !strings.Contains(err.Error(), "address already in use") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// What a browser asks of a self-signed certificate: P-256, two weeks at most,
// this host's names, and the hash that is printed.
func TestCertificate_selfSigned(t *testing.T) {
	s := start(t, http.NotFoundHandler())
	defer drain(t, s, 0)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		c, err := tls.Dial("tcp", s.Secure.Addr().String(), &tls.Config{RootCAs: s.Trust(), ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		leaf := c.ConnectionState().PeerCertificates[0]
		c.Close()
		key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			t.Errorf("key %T", leaf.PublicKey)
		}
		if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 14*24*time.Hour {
			t.Errorf("valid for %v", life)
		}
		sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		if line := "spki-sha256 " + base64.StdEncoding.EncodeToString(sum[:]) + "\n"; !strings.HasSuffix(s.Sockets.String(), line) {
			t.Errorf("printed %q, want %q", s.Sockets, line)
		}
	}
}

func TestOptions_Check(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // in the error; "" for none
	}{
		{"", ""},
		{"-addr localhost:http -tls-addr :0", ""},
		{"-addr 8080", "-addr: address 8080: missing port in address"},
		{"-tls-addr ::1", "-tls-addr: "},
		{"-cert x", "-cert and -key"},
		{"-key x", "-cert and -key"},
		{"-drain -1s", "-drain"},
	} {
		err := options(t, strings.Fields(c.args)...).Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
	_, err := serve.Listen(options(t, "-cert", "/nowhere/cert.pem", "-key", "/nowhere/key.pem"))
	if err == nil || !strings.HasPrefix(err.Error(), "certificate: ") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}

// -cert and -key: the files' certificate is the one that is served.
func TestCertificate_fromFiles(t *testing.T) {
	o := options(t, "-cert", t.TempDir()+"/cert.pem", "-key", t.TempDir()+"/key.pem")
	want := writeCertificate(t, o)
	s, err := serve.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sum := sha256.Sum256(want.RawSubjectPublicKeyInfo)
	if !strings.HasSuffix(s.String(), "spki-sha256 "+base64.StdEncoding.EncodeToString(sum[:])+"\n") {
		t.Errorf("printed %q", s)
	}
	if err := os.WriteFile(o.Key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := serve.Listen(o); err == nil || !strings.HasPrefix(err.Error(), "certificate: ") {
		t.Errorf("a key that is none: %v", err)
	}
}

func writeCertificate(t *testing.T, o *serve.Options) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		o.Cert: {Type: "CERTIFICATE", Bytes: der},
		o.Key:  {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
