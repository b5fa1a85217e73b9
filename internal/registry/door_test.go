package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/opencontainers/go-digest"
)

// A name that led to a public address first and to this machine's later (DNS rebinding) is not followed, though it is the registry's own.
func TestARegistryDoesNotComeNearer(t *testing.T) {
	for _, row := range []struct {
		why, first, then string
		refused          bool
	}{
		{"from outside to this machine", publicly, "127.0.0.1", true},
		{"from outside into a private network", publicly, privately, true},
		{"from outside to the link", publicly, "169.254.169.254", true},
		{"from a private network to this machine", privately, "127.0.0.1", true},
		{"to another place outside", publicly, "198.51.100.7", false},
		{"to another place inside", privately, "192.168.1.1", false},
		{"away", privately, publicly, false},
	} {
		n := newNet(t, map[string]string{"registry.example": row.first}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // so that each question needs a connection
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusNotFound)
			}
		})
		opts, yes := impatient(), true
		opts.Stall, opts.Dial, opts.Else = 0, n.dial, registry.Host{HTTP: &yes}
		c := registry.New(opts)
		ask := func(what string) error {
			_, _, err := c.HasBlob(t.Context(), "registry.example/app", digest.FromString(what))
			return err
		}
		if err := ask("a"); err != nil {
			t.Fatal(err)
		}
		n.mu.Lock()
		n.addresses["registry.example"], n.shown = row.then, nil
		n.mu.Unlock()
		err := ask("b")
		if (err != nil) != row.refused || row.refused && !strings.Contains(err.Error(), "nearer than where this name led before") {
			t.Errorf("%s: %v", row.why, err)
		}
		if row.refused && n.shownTo("registry.example") != "not asked" {
			t.Errorf("%s: it was asked", row.why)
		}
	}
}

// Where a registry lies that a proxy speaks to, nobody knows, so it leads to nothing that is near but through that
// proxy. (The proxies of the environment are read once in a process, so this is a process of its own.)
func TestThroughAProxyARegistryIsAPublicOne(t *testing.T) {
	const marker = "ARCHBUILD_TEST_PROXY"
	if os.Getenv(marker) == "" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThroughAProxyARegistryIsAPublicOne$", "-test.v")
		again.Env = append(os.Environ(), marker+"=1", "HTTP_PROXY=http://proxy.example:3128", "http_proxy=", "NO_PROXY=inside.example", "no_proxy=inside.example")
		if out, err := again.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	what := newContent(10)
	for host, refused := range map[string]bool{"inside.example": true, "proxied.example": false} {
		n := newNet(t, map[string]string{"inside.example": "10.0.0.5", "proxy.example": "10.0.0.9"}, nil)
		n.answer = leads("redirect", "http://"+host, what.data)
		err := use(t, n.client(), "redirect", what)
		if len(n.dialed) == 0 || n.dialed[0] != "proxy.example" {
			t.Fatalf("no proxy was asked: %v", n.dialed)
		}
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "private address") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A registry that greets anybody may have its tokens made elsewhere all the same.
func TestTheRealmOfARepository(t *testing.T) {
	for _, row := range []struct{ why, greeting, repository, want string }{
		{"the greeting says it", `Bearer realm="https://auth.example/token",service="x"`, "", "https://auth.example/token"},
		{"the repository says it", "", `Bearer realm="https://auth.example/token",service="x"`, "https://auth.example/token"},
		{"the repository says it beside another way", "", `Basic realm="x", Bearer realm="https://auth.example/token"`, ""},
		{"passwords alone", `Basic realm="x"`, `Basic realm="x"`, ""},
		{"passwords, but tokens for the repository", `Basic realm="x"`, `Bearer realm="https://auth.example/token"`, "https://auth.example/token"},
		{"each repository has its own", `Bearer realm="https://auth.example/null/token"`, `Bearer realm="https://auth.example/app/token"`, "https://auth.example/app/token"},
		{"nobody is asked", "", "", ""},
	} {
		var asked []string
		var shown atomic.Int32
		addr := whole(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path)
			if r.Header.Get("Authorization") != "" {
				shown.Add(1)
			}
			challenge := row.repository
			if r.URL.Path == "/v2/" {
				challenge = row.greeting
			}
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		opts := impatient()
		opts.Keychain = keychain{"hunter2"}
		c := registry.New(opts)
		for range 2 {
			got, err := c.Realm(t.Context(), addr, "team/app")
			if err != nil || got != row.want {
				t.Errorf("%s: %q, %v", row.why, got, err)
			}
		}
		if len(asked) > 2 || shown.Load() > 0 {
			t.Errorf("%s: asked %v, with credentials %d times", row.why, asked, shown.Load())
		}
	}
	if _, err := registry.New(impatient()).Realm(t.Context(), "127.0.0.1:1", "../../x"); err == nil {
		t.Error("a repository that is a path")
	}
}

// What holds a password goes where the registry's word leads, and no further.
func TestWhoMakesTokensCannotSendThePasswordOn(t *testing.T) {
	for _, row := range []struct {
		why, realm, addr, location string
		status                     int
		refused                    string
	}{
		{"it answers", "http://auth.example/token", "198.51.100.7", "", 0, ""},
		{"on to itself", "http://auth.example/token", "198.51.100.7", "/v2/token", http.StatusTemporaryRedirect, ""},
		{"to another host", "http://auth.example/token", "198.51.100.7", "http://evil.example/token", http.StatusTemporaryRedirect, "another host"},
		{"to another port", "http://auth.example/token", "198.51.100.7", "http://auth.example:81/token", http.StatusPermanentRedirect, "another host"},
		{"to a host below", "http://auth.example/token", "198.51.100.7", "http://x.auth.example/token", http.StatusFound, "another host"},
		{"it lies on this machine", "http://auth.example/token", "127.0.0.1", "", 0, "private address"},
		{"it is the cloud's", "http://auth.example/token", "169.254.169.254", "", 0, "link-local"},
	} {
		n := newNet(t, map[string]string{"registry.example": publicly, "auth.example": row.addr, "evil.example": "198.51.100.9", "x.auth.example": "198.51.100.9"}, nil)
		n.answer = func(w http.ResponseWriter, r *http.Request) {
			if row.location != "" && r.URL.Path == "/token" && r.Host == "auth.example" {
				http.Redirect(w, r, row.location, row.status)
			}
		}
		c := n.client()
		if _, err := c.Realm(t.Context(), "registry.example", "app"); err != nil {
			t.Fatal(err)
		}
		client, err := c.Tokens("registry.example")
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, row.realm, strings.NewReader("password=hunter2"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic hunter2")
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != (row.refused == "") || err != nil && !strings.Contains(err.Error(), row.refused) {
			t.Errorf("%s: %v", row.why, err)
		}
		for _, other := range []string{"evil.example", "x.auth.example", "auth.example:81"} {
			if shown := n.shownTo(other); shown != "not asked" {
				t.Errorf("%s: %s was asked with %q", row.why, other, shown)
			}
		}
	}
}

// Who makes the tokens of a registry in a private network may lie there, too, also when the registry itself was not
// asked for anything yet.
func TestTokensOfAPrivateRegistry(t *testing.T) {
	for _, row := range []struct {
		why, registry, maker string
		refused              bool
	}{
		{"both are private", "10.0.0.5", "10.0.0.6", false},
		{"the registry is public", publicly, "10.0.0.6", true},
		{"the maker is this machine", "10.0.0.5", "127.0.0.1", true},
	} {
		n := newNet(t, map[string]string{"registry.example": row.registry, "auth.example": row.maker}, nil)
		n.answer = func(http.ResponseWriter, *http.Request) {}
		client, err := n.client().Tokens("registry.example")
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://auth.example/token", strings.NewReader("password=hunter2"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if (err != nil) != row.refused {
			t.Errorf("%s: %v", row.why, err)
		}
	}
}

// Where tokens are made is a registry's word, and may look like the place of a blob, which has no such end.
func TestATokenThatIsCalledABlobEnds(t *testing.T) {
	addr := whole(t, func(w http.ResponseWriter, _ *http.Request) {
		piece := []byte(strings.Repeat(" ", 1<<20))
		for range 16 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	client, err := registry.New(impatient()).Tokens(addr)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/v2/app/blobs/token?scope=repository:app:pull", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n > 5<<20 {
		t.Errorf("%d bytes were read, %v", n, err)
	}
}

// Whatever is read as a whole ends at 4 MiB, and what never ends is no matter.
func TestNoAnswerIsReadWithoutEnd(t *testing.T) {
	endless := func(w http.ResponseWriter) {
		piece := []byte(strings.Repeat(" ", 1<<20))
		for range 64 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a manifest": func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.Header().Set("Content-Type", image)
				endless(w)
			}
		},
		"an error": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusForbidden)
				endless(w)
			}
		},
		"a token": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				fmt.Fprint(w, `{"token":"`)
				endless(w)
				return
			}
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		},
		"a manifest elsewhere": func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/far":
				endless(w)
			case strings.Contains(r.URL.Path, "/manifests/"):
				http.Redirect(w, r, "/far", http.StatusTemporaryRedirect)
			}
		},
	} {
		var sent atomic.Int64
		addr := whole(t, func(w http.ResponseWriter, r *http.Request) { answer(counting{w, &sent}, r) })
		func() {
			defer within(t, 30*time.Second)()
			if _, _, err := registry.New(impatient()).Fetch(t.Context(), addr+"/app:1"); err == nil {
				t.Errorf("%s without end is taken", name)
			}
		}()
		// A little more than the limit is on the way at any moment, and what may pass is asked for again.
		if sent.Load() > 60<<20 {
			t.Errorf("%s: %d bytes were taken in", name, sent.Load())
		}
	}
}

// whole serves all addresses, the greeting too.
func whole(t *testing.T, answer http.HandlerFunc) (addr string) {
	t.Helper()
	web := httptest.NewServer(answer)
	t.Cleanup(web.Close)
	return web.Listener.Addr().String()
}

type counting struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// A registry can ask for a pause of half a minute and no more; who asks for longer is not waited for.
func TestThePauseThatIsAskedForIsCapped(t *testing.T) {
	for _, asked := range []string{"31", "86400", "99999999999999999999", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		var n atomic.Int32
		addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.Header().Set("Retry-After", asked)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		func() {
			defer within(t, 20*time.Second)()
			_, _, err := registry.New(impatient()).Fetch(t.Context(), addr+"/app:1")
			var typed *registry.Error
			if !errors.As(err, &typed) {
				t.Errorf("%s: %v", asked, err)
			}
		}()
		if n.Load() > 5 {
			t.Errorf("%s: %d requests", asked, n.Load())
		}
	}
}

// Digests become names of files and parts of addresses, so none is used before it is known to be one.
func TestADigestThatIsNoneIsUsedForNothing(t *testing.T) {
	var dials atomic.Int32
	opts := impatient()
	opts.CacheDir = t.TempDir()
	opts.Dial = func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, errors.New("no")
	}
	c := registry.New(opts)
	for _, bad := range []string{"sha256:../../x", "sha256:", "sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("0", 63), "md5:" + strings.Repeat("0", 32), "../x", "sha256:" + strings.Repeat("0", 64) + "/..", ""} {
		d := digest.Digest(bad)
		_, _, hasErr := c.HasBlob(t.Context(), "registry.example/app", d)
		_, configErr := c.Config(t.Context(), "registry.example/app:1", bad)
		_, uploadErr := c.Upload(t.Context(), "registry.example/app", registry.Blob{Digest: d})
		_, getErr := c.Image(t.Context(), "registry.example/app@"+bad)
		for what, err := range map[string]error{"HasBlob": hasErr, "Config": configErr, "Upload": uploadErr, "Image": getErr} {
			var typed *registry.Error
			if !errors.As(err, &typed) || typed.Kind != registry.Invalid {
				t.Errorf("%s of %q: %v", what, bad, err)
			}
		}
	}
	if dials.Load() > 0 {
		t.Errorf("%d connections", dials.Load())
	}
}
