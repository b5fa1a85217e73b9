package containers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/containers"
	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/platform"
)

// dockerHere is a real engine; the test is skipped where it cannot run.
func dockerHere(t *testing.T) *fixtures.Docker {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("a Docker engine needs root")
		}
		t.Skip("a Docker engine needs root")
	}
	return fixtures.DockerForTest(t, fixtures.ClassicStore)
}

func TestAnEngineIsFoundAsTheDockerCommandFindsIt(t *testing.T) {
	engine := dockerHere(t)
	socket := strings.TrimPrefix(engine.Host, "unix://")
	home := t.TempDir()
	certs := filepath.Join(home, "certs")
	secure := certificates(t, certs)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	safe, err := tls.Listen("tcp", "127.0.0.1:0", secure)
	if err != nil {
		t.Fatal(err)
	}
	forward(t, plain, socket)
	forward(t, safe, socket)
	dockerContext(t, home, "here", engine.Host)
	dockerContext(t, home, "gone", "unix:///nonexistent")
	gone := "DOCKER_HOST=unix:///nonexistent"
	for name, test := range map[string]struct {
		environ []string
		context string
	}{
		"DOCKER_HOST":                            {[]string{"DOCKER_HOST=" + engine.Host}, ""},
		"DOCKER_HOST over tcp":                   {[]string{"DOCKER_HOST=tcp://" + plain.Addr().String()}, ""},
		"DOCKER_HOST without a scheme":           {[]string{"DOCKER_HOST=" + plain.Addr().String()}, ""},
		"DOCKER_HOST over TLS":                   {[]string{"DOCKER_HOST=tcp://" + safe.Addr().String(), "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certs}, ""},
		"a context in the environment":           {[]string{"DOCKER_CONTEXT=here"}, ""},
		"a context that an output names":         {[]string{"DOCKER_CONTEXT=gone", gone}, "here"},
		"DOCKER_HOST before the context":         {[]string{"DOCKER_HOST=" + engine.Host, "DOCKER_CONTEXT=gone"}, ""},
		"the default context is DOCKER_HOST":     {[]string{"DOCKER_HOST=" + engine.Host, "DOCKER_CONTEXT=gone"}, "default"},
		"the context of the configuration":       {[]string{"DOCKER_CONFIG=" + filepath.Join(home, "used")}, ""},
		"the environment before configuration":   {[]string{"DOCKER_CONTEXT=here"}, ""},
		"the last one of two in the environment": {[]string{gone, "DOCKER_HOST=" + engine.Host}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			environ := append([]string{"HOME=" + home}, test.environ...)
			found, err := containers.Find(t.Context(), containers.Options{Environ: environ, Context: test.context})
			if err != nil {
				t.Fatal(err)
			}
			if found.Name != "Docker" || !strings.HasPrefix(found.Version, "20.10.") || found.Platform != platform.Host() || found.Holds() || !found.NoZstd {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// What stands between ssh and the far engine's `docker system dial-stdio` is ssh's own affair.
func TestAnEngineBehindSSH(t *testing.T) {
	engine := dockerHere(t)
	client, err := fixtures.DockerClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\necho \"$@\" > " + bin + "/args\nexec " + client + " --host " + engine.Host + " system dial-stdio\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	found, err := containers.Find(t.Context(), containers.Options{Environ: []string{"DOCKER_HOST=ssh://me@far.example"}})
	if err != nil || !strings.HasPrefix(found.Version, "20.10.") {
		t.Errorf("found %+v, %v", found, err)
	}
	args, err := os.ReadFile(filepath.Join(bin, "args"))
	if err != nil || !strings.Contains(string(args), "-l me") || !strings.Contains(string(args), "far.example docker system dial-stdio") {
		t.Errorf("ssh was called with %s, %v", args, err)
	}
}

func TestAnEngineThatIsNotThere(t *testing.T) {
	home := t.TempDir()
	dockerContext(t, home, "broken", "nonsense://x")
	write(t, filepath.Join(home, "torn", "config.json"), `{"currentContext":`)
	for name, test := range map[string]struct{ env, says, hint string }{
		"nobody listens":      {"DOCKER_HOST=unix:///nonexistent", "Docker at unix:///nonexistent (from DOCKER_HOST) cannot be reached", "set DOCKER_HOST"},
		"a port that is free": {"DOCKER_HOST=tcp://127.0.0.1:1", "cannot be reached", "set DOCKER_HOST"},
		"a pipe of Windows":   {"DOCKER_HOST=npipe:////./pipe/docker", "does not speak npipe://", "unix:///PATH"},
		"no address":          {"DOCKER_HOST=tcp://", "tcp://HOST:PORT", "ssh://USER@HOST"},
		"no context":          {"DOCKER_CONTEXT=far", `no Docker context "far"`, "docker context ls"},
		"a broken file":       {"DOCKER_CONFIG=" + filepath.Join(home, "torn"), "reading Docker's configuration", "repair"},
		"a broken context":    {"DOCKER_CONTEXT=broken", "Docker context broken: nonsense://x", "unix:///PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := containers.Find(t.Context(), containers.Options{Environ: []string{"HOME=" + home, test.env}})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error is %v, want %q in it", err, test.says)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), test.hint) {
				t.Errorf("%v has not the hint %q", err, test.hint)
			}
		})
	}
}

func TestWhatAnEngineRefusesIsItsOwnWord(t *testing.T) {
	engine := dockerHere(t)
	found, err := containers.Find(t.Context(), containers.Options{Environ: []string{"DOCKER_HOST=" + engine.Host}})
	if err != nil {
		t.Fatal(err)
	}
	load := func(ctx context.Context, write func(context.Context, io.Writer) error) error {
		image := containers.Image{Parts: []containers.Part{{ID: "sha256:" + strings.Repeat("0", 64), Write: write}}}
		return found.Load(ctx, image, func(string) {})
	}
	var refused *containers.LoadError
	err = load(t.Context(), func(_ context.Context, w io.Writer) error {
		_, err := w.Write([]byte(strings.Repeat("no archive ", 1000)))
		return err
	})
	if !errors.As(err, &refused) || refused.Hint() == "" {
		t.Errorf("no archive: %v", err)
	}
	// A writer that fails is the cause, whatever the engine makes of half an archive.
	err = load(t.Context(), func(context.Context, io.Writer) error { return fs.ErrClosed })
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a broken store: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = load(ctx, func(ctx context.Context, w io.Writer) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || errors.As(err, &refused) {
		t.Errorf("interrupted: %v", err)
	}
}

// dockerContext writes what `docker context create NAME` leaves. In the folder used it is in use.
func dockerContext(t *testing.T, home, name, host string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	for _, folder := range []string{".docker", "used"} {
		dir := filepath.Join(home, folder, "contexts", "meta", hex.EncodeToString(sum[:]))
		write(t, filepath.Join(dir, "meta.json"), `{"Name":"`+name+`","Endpoints":{"docker":{"Host":"`+host+`"}}}`)
	}
	write(t, filepath.Join(home, "used", "config.json"), `{"currentContext":"here"}`)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// forward lets an engine be reached in another way.
func forward(t *testing.T, from net.Listener, socket string) {
	t.Cleanup(func() { from.Close() })
	go func() {
		for {
			conn, err := from.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", socket)
			if err != nil {
				conn.Close()
				return
			}
			go func() { _, _ = io.Copy(to, conn); to.Close() }()
			go func() { _, _ = io.Copy(conn, to); conn.Close() }()
		}
	}()
}

// certificates leaves ca.pem, cert.pem and key.pem for clients, who have to have them.
func certificates(t *testing.T, dir string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "engine"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, content := range map[string][]byte{"ca.pem": cert, "cert.pem": cert, "key.pem": keyPEM} {
		write(t, filepath.Join(dir, name), string(content))
	}
	pair, err := tls.X509KeyPair(cert, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
}
