package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBuildersOfBuildxBuild makes a builder with buildx, of a BuildKit that speaks TLS and asks
// for a certificate, and has both programs build on it: what they print as raw JSON has one form.
func TestBuildersOfBuildxBuild(t *testing.T) {
	requireMachine(t)
	x := newTools(t)
	buildx := x.built("buildx")
	seen := watch(t, x.dir)
	state := filepath.Join(x.dir, "state")
	t.Cleanup(func() { endEngine(t, state, seen) })
	x.env = append(x.env, "XDG_RUNTIME_DIR=")
	x.folder("app", map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
	x.run("archbuild", "app", "-q", "--state", state, "-o", "type=cacheonly")

	address := x.serveTLS(filepath.Join(state, "run", "engine.sock"))
	keys := "cacert=" + filepath.Join(x.dir, "cert.pem") + ",cert=" + filepath.Join(x.dir, "cert.pem") + ",key=" + filepath.Join(x.dir, "key.pem")
	x.run(buildx, "create", "--name", "far", "--driver", "remote", "--driver-opt", keys, "tcp://"+address)
	theirs := shape(x.events(buildx, "build", "app", "--builder", "far", "--progress", "rawjson", "--no-cache", "--provenance=false", "-o", "type=oci,dest=a.tar"))
	ours := shape(x.events("archbuild", "app", "--builder", "far", "--progress", "rawjson", "--no-cache", "-o", "type=oci,dest=b.tar"))
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("the forms of raw JSON differ (-buildx +archbuild):\n%s", diff)
	}
	if _, err := x.try("archbuild", "app", "--node", "tcp://"+address, "-q"); err == nil {
		t.Error("without the keys the builder answers as well")
	}
}

// serveTLS passes connections on to a socket, for those who show the certificate in
// cert.pem with key.pem. It is its own authority.
func (x tools) serveTLS(socket string) (address string) {
	x.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		x.Fatal(err)
	}
	cert := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, &cert, &cert, &key.PublicKey, key)
	if err != nil {
		x.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		x.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
	x.folder(".", map[string]string{"cert.pem": string(certPEM), "key.pem": string(keyPEM)})
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		x.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(certPEM)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: known, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"},
	})
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go passOn(conn, socket)
		}
	}()
	return listener.Addr().String()
}

func passOn(conn net.Conn, socket string) {
	defer conn.Close()
	to, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		io.Copy(to, conn)
		to.Close()
	}()
	io.Copy(conn, to)
}

// events runs a build whose progress is raw JSON.
func (x tools) events(program string, args ...string) []map[string][]map[string]any {
	x.Helper()
	cmd := exec.CommandContext(x.Context(), program, args...)
	cmd.Env, cmd.Dir = x.env, x.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		x.Fatalf("%s: %v\n%s", program, err, &stderr)
	}
	var list []map[string][]map[string]any
	for line := range bytes.Lines(stderr.Bytes()) {
		if !bytes.HasPrefix(line, []byte("{")) { // buildx warns in plain words
			continue
		}
		var event map[string][]map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			x.Fatalf("%s: %s is no event: %v", program, line, err)
		}
		list = append(list, event)
	}
	return list
}

// shape lists which keys events have, and those of their parts.
func shape(events []map[string][]map[string]any) map[string][]string {
	keys := map[string]map[string]bool{}
	note := func(of, key string) {
		if keys[of] == nil {
			keys[of] = map[string]bool{}
		}
		keys[of][key] = true
	}
	for _, event := range events {
		for kind, parts := range event {
			note("event", kind)
			for _, part := range parts {
				for key := range part {
					note(kind, key)
				}
			}
		}
	}
	list := map[string][]string{}
	for of, set := range keys {
		list[of] = slices.Sorted(maps.Keys(set))
	}
	return list
}
