package archbuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/wrong"
)

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
		refused := new(nodes.BuilderError)
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
