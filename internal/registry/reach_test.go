package registry_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/moby/buildkit/util/resolver/config"
)

func TestWithoutNetworkTheHostIsTriedOnceForAll(t *testing.T) {
	var dials atomic.Int32
	c := registry.New(registry.Options{
		Keychain: authn.NewMultiKeychain(), Backoff: time.Millisecond,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "index.docker.io", IsNotFound: true}}
		},
	})
	for i := range 20 {
		_, err := c.Image(t.Context(), fmt.Sprintf("image%d:1", i))
		var typed *registry.Error
		if !errors.As(err, &typed) || !typed.Unreachable() || !strings.Contains(typed.Hint(), "mirror") || !strings.Contains(err.Error(), fmt.Sprintf("image%d:1", i)) {
			t.Fatal(err)
		}
	}
	if n := dials.Load(); n > 2 {
		t.Errorf("%d dials", n)
	}
}

func TestARefusedConnectionIsUnreachable(t *testing.T) {
	c := registry.New(registry.Options{
		Keychain: authn.NewMultiKeychain(), Backoff: time.Millisecond,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		},
	})
	_, err := c.Image(t.Context(), "localhost:5000/x")
	var typed *registry.Error
	if !errors.As(err, &typed) || !typed.Unreachable() {
		t.Error(err)
	}
}

func TestPlainHTTPOnlyWhereItIsAllowed(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "registry.example/x:1", "linux/amd64")
	yes, no := true, false
	for _, c := range []struct {
		why, ref string
		host     registry.Host
		ok       bool
	}{
		{"a loopback address needs no word", s.Addr + "/x:1", registry.Host{}, true},
		{"unless it says https", s.Addr + "/x:1", registry.Host{HTTP: &no}, false},
		{"another host needs one", "registry.example/x:1", registry.Host{}, false},
		{"and gets it", "registry.example/x:1", registry.Host{HTTP: &yes}, true},
		{"a private address is no loopback address", "10.0.0.1/x:1", registry.Host{}, false},
		{"also where it is written in capitals", "Registry.Example/x:1", registry.Host{HTTP: &yes}, true},
		{"insecure is for certificates alone", "registry.example/x:1", registry.Host{Insecure: true}, false},
		{"insecure and http mean whichever answers", "registry.example/x:1", registry.Host{Insecure: true, HTTP: &yes}, true},
	} {
		opts := s.Options()
		name, _, _ := strings.Cut(c.ref, "/")
		opts.Hosts = map[string]registry.Host{name: c.host}
		_, err := registry.New(opts).Image(t.Context(), c.ref)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.why, err)
		}
		var typed *registry.Error
		if err != nil && (!errors.As(err, &typed) || !strings.Contains(typed.Hint(), "http = true")) {
			t.Errorf("%s: no hint in %v", c.why, err)
		}
	}
}

func TestCertificatesOfAHost(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "registry.example/x:1", "linux/amd64")
	web := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.Addr})
	}})
	defer web.Close()
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	no := false
	for _, c := range []struct {
		why  string
		host registry.Host
		want string
	}{
		{"an unknown authority is refused", registry.Host{}, "certificate"},
		{"one that is named is trusted", registry.Host{CAs: []string{ca}}, ""},
		{"also from a folder", registry.Host{TLSDirs: []string{dir, filepath.Join(dir, "none")}}, ""},
		{"insecure trusts any", registry.Host{Insecure: true}, ""},
		{"a file that is not there is named", registry.Host{CAs: []string{"none.pem"}}, "none.pem"},
		{"so is one without a certificate", registry.Host{CAs: []string{"client_test.go"}}, "no certificate in it"},
		{"and a client certificate", registry.Host{KeyPairs: []registry.KeyPair{{Certificate: "none.cert"}}}, "client certificate"},
	} {
		c.host.HTTP = &no
		address := web.Listener.Addr().String()
		opts := registry.Options{Hosts: map[string]registry.Host{address: c.host}, Keychain: authn.NewMultiKeychain(), Backoff: 1}
		_, err := registry.New(opts).Image(t.Context(), address+"/x:1")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

func TestFromBuildkitdKeepsWhatTheTableSays(t *testing.T) {
	yes := true
	got := registry.FromBuildkitd(map[string]config.RegistryConfig{"docker.io": {
		Mirrors: []string{"mirror:5000"}, PlainHTTP: &yes, Insecure: &yes, RootCAs: []string{"ca.pem"},
		KeyPairs: []config.TLSKeyPair{{Key: "k", Certificate: "c"}}, TLSConfigDir: []string{"/etc/certs"},
	}})
	want := map[string]registry.Host{"docker.io": {
		Mirrors: []string{"mirror:5000"}, HTTP: &yes, Insecure: true, CAs: []string{"ca.pem"},
		KeyPairs: []registry.KeyPair{{Certificate: "c", Key: "k"}}, TLSDirs: []string{"/etc/certs"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
