package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// net4 is a network in which names have addresses, and all of them lead to one
// server, which writes down who was asked for what with which credentials.
type net4 struct {
	addresses map[string]string // by host
	answer    http.HandlerFunc
	web       *httptest.Server

	mu     sync.Mutex
	shown  []string // host and Authorization, Referer
	dialed []string
}

func newNet(t *testing.T, addresses map[string]string, answer http.HandlerFunc) *net4 {
	t.Helper()
	n := &net4{addresses: addresses, answer: answer}
	n.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.shown = append(n.shown, r.Host+" "+r.Header.Get("Authorization")+r.Header.Get("Referer"))
		n.mu.Unlock()
		n.answer(w, r)
	}))
	t.Cleanup(n.web.Close)
	return n
}

// farConn says that it goes elsewhere than it does.
type farConn struct {
	net.Conn
	to net.Addr
}

func (c farConn) RemoteAddr() net.Addr { return c.to }

func (n *net4) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	conn, err := (&net.Dialer{}).DialContext(ctx, network, n.web.Listener.Addr().String())
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(n.addresses[host])
	if ip == nil {
		ip = net.ParseIP(host)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed = append(n.dialed, host)
	return farConn{conn, &net.TCPAddr{IP: ip, Port: 443}}, nil
}

func (n *net4) client(named ...string) *registry.Client {
	yes := true
	opts := impatient()
	opts.Stall, opts.Keychain, opts.Dial = 0, keychain{"hunter2"}, n.dial
	opts.Hosts = map[string]registry.Host{"registry.example": {HTTP: &yes}}
	for _, host := range named {
		opts.Hosts[host] = registry.Host{}
	}
	return registry.New(opts)
}

// shownTo tells what a host was shown of credentials.
func (n *net4) shownTo(host string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	text, asked := "", false
	for _, line := range n.shown {
		if rest, ok := strings.CutPrefix(line, host+" "); ok {
			text += rest
			asked = true
		}
	}
	if !asked {
		return "not asked"
	}
	return text
}

const (
	publicly  = "93.184.216.34"
	privately = "10.1.2.3"
)

func TestWhereARegistryMayLead(t *testing.T) {
	for _, c := range []struct {
		why, own, host, addr string
		named                bool
		refused              string
	}{
		{"a public one to public storage", publicly, "storage.example", "198.51.100.7", false, ""},
		{"but not to link-local addresses", publicly, "169.254.169.254", "", false, "link-local"},
		{"by whatever name", publicly, "innocent.example", "169.254.169.254", false, "link-local"},
		{"nor to metadata elsewhere", publicly, "innocent.example", "fd00:ec2::254", false, "metadata"},
		{"nor as IPv6", publicly, "innocent.example", "::ffff:169.254.169.254", false, "link-local"},
		{"nor through NAT64", publicly, "innocent.example", "64:ff9b::a9fe:a9fe", false, "link-local"},
		{"nor into private networks", publicly, "innocent.example", "10.0.0.5", false, "private address"},
		{"of any kind", publicly, "innocent.example", "fd12::1", false, "private address"},
		{"or shared ones", publicly, "innocent.example", "100.64.1.1", false, "private address"},
		{"nor to this machine", publicly, "innocent.example", "127.0.0.1", false, "private address"},
		{"by any of its addresses", publicly, "innocent.example", "127.9.9.9", false, "private address"},
		{"nor as IPv6 has it", publicly, "innocent.example", "::1", false, "private address"},
		{"or inside of it", publicly, "innocent.example", "::ffff:127.0.0.1", false, "private address"},
		{"in its old form", publicly, "innocent.example", "::7f00:1", false, "private address"},
		{"through 6to4", publicly, "innocent.example", "2002:a00:5::", false, "private address"},
		{"to networks for benchmarks", publicly, "innocent.example", "198.18.0.9", false, "private address"},
		{"or for later", publicly, "innocent.example", "240.0.0.9", false, "private address"},
		{"or what means it", publicly, "innocent.example", "0.0.0.0", false, "private address"},
		{"unless the configuration names it", publicly, "storage.example", "10.0.0.5", true, ""},
		{"a private one into private networks", privately, "storage.example", "10.0.0.5", false, ""},
		{"one on this machine to itself", "127.0.0.1", "storage.example", "127.0.0.1", false, ""},
		{"or into private networks", "127.0.0.1", "storage.example", "10.0.0.5", false, ""},
		{"a private one not to this machine", privately, "innocent.example", "127.0.0.1", false, "this machine"},
		{"not even as nothing", privately, "innocent.example", "0.0.0.0", false, "this machine"},
		{"but to public storage", privately, "storage.example", "198.51.100.7", false, ""},
		{"a private one not to link-local addresses", privately, "innocent.example", "169.254.169.254", false, "link-local"},
	} {
		for _, way := range []string{"redirect", "token server", "upload"} {
			t.Run(way+": "+c.why, func(t *testing.T) {
				what := newContent(10)
				n := newNet(t, map[string]string{"registry.example": c.own, c.host: c.addr}, nil)
				n.answer = leads(way, "http://"+c.host, what.data)
				var named []string
				if c.named {
					named = append(named, c.host)
				}
				err := use(t, n.client(named...), way, what)
				if c.refused == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if asked := n.shownTo(c.host); asked != "not asked" {
					t.Errorf("it was asked, with %q", asked)
				}
				var typed *registry.Error
				if !errors.As(err, &typed) || strings.Contains(err.Error()+typed.Hint(), "hunter2") {
					t.Fatal(err)
				}
				if strings.Contains(c.host, ".example") && (!strings.Contains(err.Error(), c.refused) || !strings.Contains(typed.Hint(), "buildkitd.toml")) {
					t.Errorf("%v: %s", err, typed.Hint())
				}
			})
		}
	}
}

// leads is a registry that leads to another place in one of three ways.
func leads(way, to string, data []byte) http.HandlerFunc {
	elsewhere, _ := url.Parse(to)
	return func(w http.ResponseWriter, r *http.Request) {
		at := r.Method + " " + strings.TrimSuffix(r.URL.Path, digest.FromBytes(data).String())
		switch {
		case r.URL.Path == "/token":
			fmt.Fprint(w, `{"token":"secret-token"}`)
		case r.Host == elsewhere.Host && r.Method == http.MethodPatch:
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusAccepted)
		case r.Host == elsewhere.Host && r.Method == http.MethodPut:
			w.WriteHeader(http.StatusCreated)
		case r.Host == elsewhere.Host:
			_, _ = w.Write(data)
		case r.Header.Get("Authorization") == "" && way == "token server":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+to+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		case at == "GET /v2/app/blobs/" && way == "redirect":
			http.Redirect(w, r, to+"/data?signature=abc", http.StatusTemporaryRedirect)
		case at == "GET /v2/app/blobs/":
			_, _ = w.Write(data)
		case at == "POST /v2/app/blobs/uploads/":
			w.Header().Set("Location", to+"/put?state=abc")
			w.WriteHeader(http.StatusAccepted)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		}
	}
}

func use(t *testing.T, c *registry.Client, way string, what *content) error {
	t.Helper()
	if way == "upload" {
		_, err := c.Upload(t.Context(), "registry.example/app", what.blob())
		return err
	}
	body, err := c.OpenBlob(t.Context(), "registry.example/app", ocispecs.Descriptor{Digest: what.digest(), Size: int64(len(what.data))}, 0)
	if err == nil {
		body.Close()
	}
	return err
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	for _, way := range []string{"redirect", "upload"} {
		what := newContent(10)
		n := newNet(t, map[string]string{"registry.example": publicly, "storage.example": "198.51.100.7"}, nil)
		n.answer = leads(way, "http://storage.example", what.data)
		if err := use(t, n.client(), way, what); err != nil {
			t.Fatal(err)
		}
		if shown := n.shownTo("storage.example"); shown != "" {
			t.Errorf("%s: storage is shown %q", way, shown)
		}
		if shown := n.shownTo("registry.example"); !strings.Contains(shown, "Basic ") {
			t.Errorf("%s: the registry is shown %q", way, shown)
		}
	}
}

// A registry that is talked to by https cannot have the password sent by http.
func TestNothingIsSentInTheClear(t *testing.T) {
	for _, way := range []string{"redirect", "token server", "upload"} {
		what := newContent(10)
		n := newNet(t, map[string]string{"registry.example": publicly, "storage.example": "198.51.100.7"}, nil)
		secure := httptest.NewTLSServer(leads(way, "http://storage.example", what.data))
		defer secure.Close()
		n.answer = func(http.ResponseWriter, *http.Request) { t.Error("asked in the clear") }
		opts := impatient()
		opts.Keychain, opts.Hosts = keychain{"hunter2"}, map[string]registry.Host{"registry.example": {Insecure: true}}
		opts.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "registry.example") {
				return (&net.Dialer{}).DialContext(ctx, network, secure.Listener.Addr().String())
			}
			return n.dial(ctx, network, address)
		}
		err := use(t, registry.New(opts), way, what)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// A mirror is asked with the mirror's credentials.
func TestMirrorsGetNoneOfTheRegistrysCredentials(t *testing.T) {
	n := newNet(t, map[string]string{"registry.example": publicly, "mirror.example": "198.51.100.7"}, nil)
	n.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	yes := true
	opts := impatient()
	opts.Keychain, opts.Dial = only{"registry.example", keychain{"hunter2"}}, n.dial
	opts.Hosts = map[string]registry.Host{"registry.example": {HTTP: &yes, Mirrors: []string{"mirror.example"}}, "mirror.example": {HTTP: &yes}}
	_, _, _ = registry.New(opts).Get(t.Context(), "registry.example/app:1")
	if shown := n.shownTo("mirror.example"); shown != "" {
		t.Errorf("the mirror is shown %q", shown)
	}
}

// only knows credentials for one host.
type only struct {
	host string
	keychain
}

func (o only) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if r.RegistryStr() != o.host {
		return authn.Anonymous, nil
	}
	return o.keychain.Resolve(r)
}

// The same without a dialer of the caller's: refused before the first packet.
func TestTheRealNetworkIsGuardedToo(t *testing.T) {
	defer within(t, 10*time.Second)()
	for _, to := range []string{"http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/"} {
		addr := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) })
		c := registry.New(impatient())
		_, _, err := c.Fetch(t.Context(), addr+"/app:1")
		if err == nil || !strings.Contains(err.Error(), "link-local") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	tokens := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			tokens++
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer web.Close()
	opts := impatient()
	opts.Keychain = keychain{"wrong"}
	c := registry.New(opts)
	for i := range 10 {
		_, _, err := c.HasBlob(t.Context(), web.Listener.Addr().String()+"/app", digest.FromString(fmt.Sprint(i)))
		var typed *registry.Error
		if !errors.As(err, &typed) || !typed.Unauthorized() || strings.Contains(err.Error(), "wrong") {
			t.Error(err)
		}
	}
	if tokens != 1 {
		t.Errorf("%d times", tokens)
	}
}
