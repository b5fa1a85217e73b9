package nodes_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder/nodes"
)

// The documentation's certificates: each side knows the other, and nobody else.
func TestTheDocumentedCertificatesWork(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		lacks(t, err.Error())
	}
	doc, err := os.ReadFile("../../docs/nodes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(doc), "```sh\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok || !strings.Contains(script, "openssl") {
		t.Fatal("docs/nodes.md has no script")
	}
	dir := t.TempDir()
	command := exec.Command("sh", "-e", "-c", script)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, err := nodes.Parse("tcp://arm.example:1234,tlsdir=" + filepath.Join(dir, "client"))
	if err != nil {
		t.Fatal(err)
	}
	authority := x509.NewCertPool()
	ca, err := os.ReadFile(s.TLS.CA)
	if err != nil || !authority.AppendCertsFromPEM(ca) {
		t.Fatal(err)
	}
	server := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority, Certificates: []tls.Certificate{pair(t, dir, "server.pem", "server-key.pem")}}
	mine := []tls.Certificate{pair(t, dir, "client/cert.pem", "client/key.pem")}
	for _, row := range []struct {
		problem string
		client  *tls.Config
		works   bool
	}{
		{"by name", &tls.Config{ServerName: "arm.example", RootCAs: authority, Certificates: mine}, true},
		{"by address", &tls.Config{ServerName: "10.0.0.7", RootCAs: authority, Certificates: mine}, true},
		{"by a name that is not in it", &tls.Config{ServerName: "other.example", RootCAs: authority, Certificates: mine}, false},
		{"without one's own", &tls.Config{ServerName: "arm.example", RootCAs: authority}, false},
		{"with the server's as one's own", &tls.Config{ServerName: "arm.example", RootCAs: authority, Certificates: server.Certificates}, false},
	} {
		if err := shake(t, server, row.client); (err == nil) != row.works {
			t.Errorf("%s: %v", row.problem, err)
		}
	}
}

func pair(t *testing.T, dir, certificate, key string) tls.Certificate {
	t.Helper()
	both, err := tls.LoadX509KeyPair(filepath.Join(dir, certificate), filepath.Join(dir, key))
	if err != nil {
		t.Fatal(err)
	}
	return both
}

// shake is what a server says to a client.
func shake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("x")) // which shakes hands first
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}
