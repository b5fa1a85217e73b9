package kubernetes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder/nodes"
)

// validate is kubectl-validate, which checks manifests against the schemas of one
// release of Kubernetes and needs no cluster.
const validate = "../../bin/kubectl-validate"

// schemas are the oldest and the newest release that it knows and that the
// manifests are for.
var schemas = []string{"1.27", "1.30"}

func check(t *testing.T, release string, files ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), validate, append([]string{"--version", release}, files...)...).CombinedOutput()
	return string(out), err
}

func manifests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	return files
}

func requireValidator(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(validate); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("bin/kubectl-validate is missing: make bin/kubectl-validate")
	}
	t.Skip("bin/kubectl-validate is missing: make bin/kubectl-validate")
}

func TestManifestsFitKubernetesSchemas(t *testing.T) {
	requireValidator(t)
	for _, release := range schemas {
		if out, err := check(t, release, manifests(t)...); err != nil {
			t.Errorf("%s: %v\n%s", release, err, out)
		}
	}
}

// The validator is worth nothing if it takes everything.
func TestTheValidatorSeesMistakes(t *testing.T) {
	requireValidator(t)
	good, err := os.ReadFile("rootless.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for problem, change := range map[string][2]string{
		"a key that does not exist":   {"serviceName:", "serviceNam:"},
		"a word in place of a number": {"replicas: 1", "replicas: one"},
		"a list in place of a word":   {"protocol: TCP", "protocol: [TCP]"},
		"no template of pods":         {"  template:\n", "  volumeClaimTemplates: []\n  x-template:\n"},
	} {
		text := strings.Replace(string(good), change[0], change[1], 1)
		file := filepath.Join(t.TempDir(), "bad.yaml")
		if text == string(good) || os.WriteFile(file, []byte(text), 0o600) != nil {
			t.Fatal(problem)
		}
		if out, err := check(t, schemas[1], file); err == nil {
			t.Errorf("%s passes\n%s", problem, out)
		}
	}
}

// What the manifests say of themselves has to fit together, and docs/nodes.md too.
func TestManifestsAgreeWithTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../docs/nodes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range manifests(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if !strings.Contains(string(doc), "`"+file+"`") {
			t.Errorf("docs/nodes.md does not tell of %s", file)
		}
		for _, want := range []string{"--addr=tcp://0.0.0.0:1234", "containerPort: 1234", "port: 1234", "--tlscacert=/certs/ca.pem", "mountPath: /certs", "secretName: buildkitd-certs", "were not run"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", file, want)
			}
		}
		pod := regexp.MustCompile(`buildkitd-\w+-0\.[a-z0-9.-]+\.svc`).FindString(text)
		if _, err := nodes.Parse("tcp://" + pod + ":1234"); err != nil || pod == "" {
			t.Errorf("%s: %q, %v", file, pod, err)
		}
	}
	for _, address := range regexp.MustCompile(`--node '?([a-z]+[:-][^ '\n]*|engine)`).FindAllStringSubmatch(string(doc), -1) {
		text, _, _ := strings.Cut(address[1], ",tlsdir=") // the files are the reader's
		if strings.Contains(text, "ADDRESS") {
			continue
		}
		if _, err := nodes.Parse(text); err != nil {
			t.Errorf("docs/nodes.md: %v", err)
		}
	}
}
