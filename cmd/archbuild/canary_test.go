package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// Canaries: what must not be found anywhere. Each has a core of letters and digits, which is found
// also where the whole is written in another way.
const (
	passwordA = "pAsSw0rdCaNaRyA+/ =" // of registry A, which gives tokens for it
	passwordB = "pAsSw0rdCaNaRyB+/ =" // of registry B, which wants it each time
	inEnviron = "eNvIrOnCaNaRy"
	inSecret  = "sEcReTcAnArY"
)

// cores are the canaries' names in the table, and what they are found by.
var cores = map[string]string{"password A": "pAsSw0rdCaNaRyA", "password B": "pAsSw0rdCaNaRyB", "environment": inEnviron, "secret": inSecret}

// canaryVariables are fifty that hold what nobody should see, on the machines of many.
var canaryVariables = strings.Fields(`AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AZURE_CLIENT_SECRET AZURE_STORAGE_KEY ARM_CLIENT_SECRET
	GOOGLE_API_KEY GCP_SERVICE_ACCOUNT_KEY GITHUB_TOKEN GH_TOKEN GITLAB_TOKEN CI_JOB_TOKEN CI_REGISTRY_PASSWORD BITBUCKET_TOKEN NPM_TOKEN NODE_AUTH_TOKEN
	YARN_NPM_AUTH_TOKEN PYPI_TOKEN TWINE_PASSWORD POETRY_PYPI_TOKEN_PYPI CARGO_REGISTRY_TOKEN GEM_HOST_API_KEY NUGET_API_KEY MAVEN_PASSWORD GRADLE_PUBLISH_SECRET
	DOCKER_PASSWORD DOCKERHUB_TOKEN QUAY_TOKEN VAULT_TOKEN CONSUL_HTTP_TOKEN NOMAD_TOKEN TF_TOKEN_app_terraform_io KUBE_TOKEN SSH_PRIVATE_KEY SSH_PASSPHRASE GPG_PASSPHRASE
	COSIGN_PASSWORD SLACK_TOKEN SENTRY_AUTH_TOKEN DATADOG_API_KEY STRIPE_SECRET_KEY TWILIO_AUTH_TOKEN SENDGRID_API_KEY DATABASE_URL PGPASSWORD MYSQL_PWD REDIS_PASSWORD
	JWT_SECRET OPENAI_API_KEY ACTIONS_ID_TOKEN_REQUEST_TOKEN`)

// needles are a core as it is, in base64 at each offset, in hexadecimal.
func needles(core string) [][]byte {
	list := [][]byte{[]byte(core), []byte(hex.EncodeToString([]byte(core))), []byte(strings.ToUpper(hex.EncodeToString([]byte(core))))}
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + core))
		from := []int{0, 2, 3}[offset]
		list = append(list, []byte(strings.TrimRight(encoded[from:], "=")[:len(encoded)-from-4]))
	}
	return list
}

// ledger counts canaries by place.
type ledger struct {
	mu     sync.Mutex
	counts map[string]map[string]int
	looked map[string]int64
	about  map[string]string
}

// look counts the canaries in what was found at a place.
func (l *ledger) look(place string, data []byte, about string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[place] == nil {
		l.counts[place] = map[string]int{}
	}
	l.looked[place] += int64(len(data))
	for name, core := range cores {
		for _, needle := range needles(core) {
			if n := bytes.Count(data, needle); n > 0 {
				l.counts[place][name] += n
				l.about[place+name] = about
			}
		}
	}
}

// host is a server that writes down every request, with its body, before it passes it on.
func (l *ledger) host(t *testing.T, name string, allow func(http.ResponseWriter, *http.Request) bool, to string) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head, _ := httputil.DumpRequest(r, false)
		for key, values := range r.Header { // Basic is base64 of a name and a password
			if _, encoded, ok := strings.Cut(values[0], "Basic "); ok && key == "Authorization" {
				plain, _ := base64.StdEncoding.DecodeString(encoded)
				head = append(bytes.ReplaceAll(head, []byte(encoded), nil), plain...)
			}
		}
		body, _ := io.ReadAll(r.Body)
		l.look(name, append(head, body...), r.Method+" "+r.URL.Path)
		l.look(name, gunzipped(body), r.Method+" "+r.URL.Path)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !allow(w, r) {
			return
		}
		r.Header.Del("Authorization")
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// gunzipped is what is compressed in it. A base image's layers are no place for a canary, and are left aside.
func gunzipped(data []byte) []byte {
	if len(data) > 8<<20 {
		return nil
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	plain, _ := io.ReadAll(r)
	return plain
}

// files looks at everything below a folder.
func (l *ledger) files(t *testing.T, place, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // what goes while it is looked at is not kept
		}
		if data, err := os.ReadFile(path); err == nil {
			l.look(place, data, path)
			l.look(place, gunzipped(data), path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// processes looks at the arguments and the environment of all processes until it is ended. Those that
// this test starts have the canaries in their environment: that is where a user has them.
func (l *ledger) processes(ended <-chan struct{}) (engines int) {
	seen := map[string]bool{}
	for {
		list, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range list {
			args, _ := os.ReadFile(dir + "/cmdline")
			environ, _ := os.ReadFile(dir + "/environ")
			if len(args) == 0 || parent(dir) == os.Getpid() || filepath.Base(dir) == strconv.Itoa(os.Getpid()) {
				l.look("arguments of processes", args, dir)
				continue
			}
			place := "environment of other processes"
			if bytes.Contains(args, []byte("__engine")) {
				place = "environment of the engine"
			} else if bytes.HasPrefix(args, []byte("archbuild\x00")) {
				continue // forked, and not yet another program
			}
			if key := dir + string(args); !seen[key] {
				seen[key] = true
				l.look("arguments of processes", args, dir)
				l.look(place, environ, string(args))
				if place == "environment of the engine" {
					engines++
				}
			}
		}
		select {
		case <-ended:
			return engines
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func parent(dir string) int {
	stat, _ := os.ReadFile(dir + "/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

func TestALedgerFindsCanaries(t *testing.T) {
	for name, core := range cores {
		for _, text := range []string{
			core, "x" + core + "+/", base64.StdEncoding.EncodeToString([]byte(core)), base64.StdEncoding.EncodeToString([]byte("u:" + core + "/ =")), base64.URLEncoding.EncodeToString([]byte("user:" + core)),
			base64.RawStdEncoding.EncodeToString([]byte("abc:def:" + core + "?")), hex.EncodeToString([]byte(core)), url.QueryEscape("a b" + core + "+/ ="), fmt.Sprintf("%X", "?"+core),
		} {
			l := &ledger{counts: map[string]map[string]int{}, looked: map[string]int64{}, about: map[string]string{}}
			if l.look("here", []byte("before "+text+" behind"), ""); l.counts["here"][name] == 0 {
				t.Errorf("%s is not found in %s", name, text)
			}
		}
	}
}

// TestCanariesStayWhereTheyAre: passwords of two registries, a secret and fifty variables, through a push of two platforms with
// provenance, records, failures and questions. Each is counted in all requests, outputs, files and processes.
func TestCanariesStayWhereTheyAre(t *testing.T) {
	requireMachine(t)
	hub := fixtures.ForTest(t)
	l := &ledger{counts: map[string]map[string]int{}, looked: map[string]int64{}, about: map[string]string{}}
	const token = "tOkEnOfA"
	elsewhere := l.host(t, "requests to where A redirects", func(http.ResponseWriter, *http.Request) bool { return true }, hub.Addr)
	a := l.host(t, "requests to registry A", func(w http.ResponseWriter, r *http.Request) bool {
		_, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && password == passwordA:
			fmt.Fprintf(w, `{"token":%q,"access_token":%[1]q,"expires_in":300}`, token)
		case r.URL.Path == "/token" || r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="a",scope="repository:canary/app:pull,push"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/sha256:"):
			http.Redirect(w, r, "http://"+elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			return true
		}
		return false
	}, hub.Addr)
	b := l.host(t, "requests to registry B", func(w http.ResponseWriter, r *http.Request) bool {
		if _, password, _ := r.BasicAuth(); password == passwordB {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="b"`)
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}, hub.Addr)

	dir := t.TempDir()
	t.Chdir(dir)
	login := func(password string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + password)) }
	for name, text := range map[string]string{
		"app/Dockerfile":     "FROM debian:bookworm-slim\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nRUN --mount=type=secret,id=given test -s /run/secrets/given && env > /env && cat /proc/1/environ /proc/self/environ > /environ\n",
		"broken/Dockerfile":  "FROM debian:bookworm-slim\nRUN env && exit 1\n",
		"docker/config.json": fmt.Sprintf(`{"auths":{%q:{"auth":%q},%q:{"auth":%q}}}`, a, login(passwordA), b, login(passwordB)),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(canaryVariables) != 50 {
		t.Fatalf("%d variables", len(canaryVariables))
	}
	for i, name := range canaryVariables {
		t.Setenv(name, fmt.Sprint(inEnviron, i))
	}
	for name, value := range map[string]string{
		"HOME": dir + "/home", "XDG_CONFIG_HOME": hub.ConfigHome, "XDG_CACHE_HOME": dir + "/cache", "XDG_STATE_HOME": dir + "/xdg-state", "XDG_DATA_HOME": dir + "/data", "TMPDIR": dir + "/tmp",
		"DOCKER_CONFIG": dir + "/docker", "ARCHBUILD_STATE": dir + "/state", "GIVEN": inSecret, "GITHUB_RUN_ID": "1", "GITHUB_STEP_SUMMARY": dir + "/out/summary", "GITHUB_OUTPUT": dir + "/out/output",
	} {
		t.Setenv(name, value)
	}
	for _, folder := range []string{"tmp", "home", "out"} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	seen := watch(t, dir)
	t.Cleanup(func() { endEngine(t, dir+"/state", seen) })
	ended := make(chan struct{})
	engines := make(chan int)
	go func() { engines <- l.processes(ended) }()

	both := "linux/" + runtime.GOARCH + ",linux/" + map[bool]string{true: "amd64", false: "arm64"}[runtime.GOARCH == "arm64"]
	appA, appB := a+"/canary/app", b+"/canary/app"
	secret := "--secret=id=given,env=GIVEN"
	for _, call := range []struct {
		code int
		line []string
	}{
		{0, []string{"build", "app", "--platform", both, "-t", appA + ":1", "-t", appB + ":1", "--push", "--provenance=mode=max", secret, "--metadata-file=out/metadata.json", "--progress=plain", "--json"}},
		{0, []string{"build", "app", "--platform", both, "--provenance=mode=max", secret, "-o", "type=oci,tar=false,dest=out/layout", "--no-cache", "--progress=rawjson"}},
		{1, []string{"build", "broken", "--progress=plain", "--metadata-file=out/failed.json", "--json"}},
		{0, []string{"build", "app", "--platform", both, "-t", appA + ":2", "--push", "--record", "out/records", secret, "-q"}},
		{0, []string{"ci", "assemble", "-t", appA + ":2", "--require", both, "out/records", "--json"}},
		{0, []string{"manifest", "create", "-t", appB + ":3", appB + ":1"}},
		{0, []string{"manifest", "inspect", appA + ":1", "--json"}},
		{0, []string{"verify", appA + ":1", "--deep", "--json"}},
		{0, []string{"plan", "app", "--json"}},
		{-1, []string{"doctor", "app", "--json", "-v"}},
		{0, []string{"node", "ls", "--json"}},
		{0, []string{"engine", "status", "--json"}},
		{0, []string{"engine", "logs"}},
	} {
		cmd := exec.Command("archbuild", call.line...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != call.code && call.code >= 0 {
			t.Errorf("%q: exit status %d\n%s", call.line, code, &stderr)
		}
		l.look("standard output", stdout.Bytes(), strings.Join(call.line, " "))
		l.look("standard error", stderr.Bytes(), strings.Join(call.line, " "))
	}
	close(ended)
	if n := <-engines; n == 0 {
		t.Error("no process of an engine was seen")
	}
	l.files(t, "files of the engine and the state folder", "state")
	l.files(t, "outputs: images, provenance, records, metadata", "out")
	for _, folder := range []string{"home", "cache", "xdg-state", "data", "tmp", "archbuild-out"} {
		l.files(t, "other folders of the user", folder)
	}
	l.judge(t)
}

// judge prints the table. A password is sent to its own host, and nothing else is anywhere.
func (l *ledger) judge(t *testing.T) {
	t.Helper()
	own := map[string]string{"requests to registry A": "password A", "requests to registry B": "password B"}
	places := slices.Sorted(maps.Keys(l.counts))
	names := slices.Sorted(maps.Keys(cores))
	t.Logf("%-50s %12s %s", "place", "bytes", names)
	for _, place := range places {
		var row []int
		for _, name := range names {
			n := l.counts[place][name]
			row = append(row, n)
			if mine := own[place] == name; mine && n == 0 {
				t.Errorf("%s never had %s: nothing was tried", place, name)
			} else if !mine && n > 0 {
				t.Errorf("%s is %d times in %s: %.300q", name, n, place, l.about[place+name])
			}
		}
		t.Logf("%-50s %12d %v", place, l.looked[place], row)
	}
	for _, place := range []string{"requests to registry A", "requests to registry B", "requests to where A redirects", "environment of the engine", "arguments of processes", "standard output", "standard error", "files of the engine and the state folder", "outputs: images, provenance, records, metadata"} {
		if l.looked[place] == 0 {
			t.Errorf("nothing was looked at: %s", place)
		}
	}
}
