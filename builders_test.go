package archbuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

func TestTheNodeIsChosenByTheFirstThatNamesOne(t *testing.T) {
	home := t.TempDir()
	builders, user := filepath.Join(home, "buildx"), filepath.Join(home, "archbuild")
	for path, content := range map[string]string{
		filepath.Join(builders, "instances", "b"):   `{"Name":"b","Driver":"remote","Nodes":[{"Name":"b0","Endpoint":"tcp://b:1"}]}`,
		filepath.Join(builders, "instances", "env"): `{"Name":"env","Driver":"remote","Nodes":[{"Name":"env0","Endpoint":"tcp://env:1"}]}`,
		filepath.Join(user, "config.yaml"):          "nodes: [\"tcp://file:1\", engine]\n",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	environment := func(more ...string) outside.System {
		return outside.System{Environ: append([]string{"BUILDX_CONFIG=" + builders}, more...)}
	}
	all := environment("XDG_CONFIG_HOME="+home, "BUILDKIT_HOST=tcp://host:1", "BUILDX_BUILDER=env")
	for _, row := range []struct {
		name string
		opts Options
		want string
	}{
		{"nothing is the private engine", Options{System: environment()}, "engine"},
		{"--node comes first", Options{Nodes: []string{"unix:///n", "engine"}, System: all}, "unix:///n engine"},
		{"--builder too", Options{BuildFlags: BuildFlags{Builder: "b"}, System: all}, "tcp://b:1"},
		{"then BUILDKIT_HOST", Options{System: all}, "tcp://host:1"},
		{"then BUILDX_BUILDER", Options{System: environment("XDG_CONFIG_HOME="+home, "BUILDX_BUILDER=env")}, "tcp://env:1"},
		{"then the user's own file", Options{System: environment("XDG_CONFIG_HOME=" + home)}, "tcp://file:1 engine"},
	} {
		row.opts.NodeInsecure = true
		specs, err := row.opts.specs()
		var got []string
		for _, spec := range specs {
			got = append(got, spec.Address)
		}
		if err != nil || strings.Join(got, " ") != row.want {
			t.Errorf("%s: %v, %v", row.name, got, err)
		}
	}
	for _, address := range []string{"tcp://arm.example:1", "tcp://10.0.0.7:1", "tcp://[fd00::7]:1"} {
		if _, err := (Options{Nodes: []string{address}}).specs(); err == nil || !strings.Contains(wrong.Hint(err), "--node-insecure") {
			t.Errorf("%s without TLS: %v", address, err)
		}
	}
	for _, address := range []string{"tcp://127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1", "ssh://arm.example", "unix:///n"} {
		if _, err := (Options{Nodes: []string{address}}).specs(); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := (Options{Nodes: []string{"engine"}, BuildFlags: BuildFlags{Builder: "b"}}).specs(); err == nil {
		t.Error("--node and --builder were taken together")
	}
}

func TestBuildersThatCannotServeAreRefusedWithAHint(t *testing.T) {
	config := t.TempDir()
	folder := filepath.Join(config, "instances")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"plain":   `{"Name":"plain","Driver":"docker","Nodes":[{"Name":"plain","Endpoint":"default"}]}`,
		"cluster": `{"Name":"cluster","Driver":"kubernetes","Nodes":[{"Name":"my_cluster0","DriverOpts":{"namespace":"ci"}}]}`,
		"cloud":   `{"Name":"cloud","Driver":"cloud","Nodes":[{"Name":"cloud0"}]}`,
		"empty":   `{"Name":"empty","Driver":"remote"}`,
		"broken":  `{`,
		"far":     `{"Name":"far","Driver":"docker-container","Nodes":[{"Name":"far0","Endpoint":"ssh://me@far"}]}`,
		"silent":  `{"Name":"silent","Driver":"remote","Nodes":[{"Name":"silent0","Endpoint":"unix:///no/such/socket"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ name, says, hint string }{
		{"plain", "the builder inside Docker", "--driver docker-container"},
		{"cluster", "pods", "kubectl -n ci get pods -l app=my-cluster0"},
		{"cloud", `does not know its driver "cloud"`, "docker-container"},
		{"empty", "has no node", "docker buildx create"},
		{"broken", "reading", "docker buildx create"},
		{"far", "DOCKER_HOST does not name", "set DOCKER_HOST=ssh://me@far"},
		{"silent", "silent0 does not answer", "docker buildx inspect --bootstrap silent"},
		{"missing", "no such builder", "there are: broken, cloud, cluster, empty, far, plain, silent"},
		{"../plain", "no name", "docker buildx ls"},
	} {
		opts := Options{System: outside.System{Environ: []string{"BUILDX_CONFIG=" + config}}, BuildFlags: BuildFlags{Builder: row.name}}
		_, err := opts.findPlaces(t.Context(), detect.HostFacts{})
		refused := new(BuilderError)
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), row.says) || !strings.Contains(refused.Hint(), row.hint) {
			t.Errorf("%s: %v, hint %q", row.name, err, wrong.Hint(err))
		}
	}
}

func TestProxiesOfTheDockerConfigAreBuildArguments(t *testing.T) {
	dir := t.TempDir()
	config := `{"proxies": {"default": {"httpProxy": "http://me:secret@proxy:3128", "noProxy": "localhost"}, "tcp://far:2376": {"httpsProxy": "https://far"}}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := Options{System: outside.System{Environ: []string{"DOCKER_CONFIG=" + dir}}, Provenance: "true"}
	r, err := opts.check()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		if r.proxyArgs[name] != "http://me:secret@proxy:3128" {
			t.Errorf("%s is %q", name, r.proxyArgs[name])
		}
	}
	notes := strings.Join(r.proxyNotes(), "\n")
	if strings.Contains(notes, "secret") || !strings.Contains(notes, "HTTP_PROXY, NO_PROXY") || !strings.Contains(notes, "holds a password") {
		t.Errorf("the plan says: %s", notes)
	}
	opts.Environ = append(opts.Environ, "DOCKER_HOST=tcp://far:2376")
	if got := opts.proxies(); got["HTTPS_PROXY"] != "https://far" || got["HTTP_PROXY"] != "" {
		t.Errorf("of another docker: %v", got)
	}
	if got := (Options{System: outside.System{Environ: []string{"DOCKER_CONFIG=/nowhere"}}}).proxies(); len(got) != 0 {
		t.Errorf("of no config: %v", got)
	}
}
