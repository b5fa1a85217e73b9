package outside_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		said outside.Nodes
		in   outside.System
		want string
	}{
		{"nothing is the private engine", outside.Nodes{}, environment(), "engine"},
		{"--node comes first", outside.Nodes{Named: []string{"unix:///n", "engine"}}, all, "unix:///n engine"},
		{"--builder too", outside.Nodes{Builder: "b"}, all, "tcp://b:1"},
		{"then BUILDKIT_HOST", outside.Nodes{}, all, "tcp://host:1"},
		{"then BUILDX_BUILDER", outside.Nodes{}, environment("XDG_CONFIG_HOME="+home, "BUILDX_BUILDER=env"), "tcp://env:1"},
		{"then the user's own file", outside.Nodes{}, environment("XDG_CONFIG_HOME=" + home), "tcp://file:1 engine"},
	} {
		row.said.Insecure = true
		specs, err := row.said.Specs(row.in)
		var got []string
		for _, spec := range specs {
			got = append(got, spec.Address)
		}
		if err != nil || strings.Join(got, " ") != row.want {
			t.Errorf("%s: %v, %v", row.name, got, err)
		}
	}
	for _, address := range []string{"tcp://arm.example:1", "tcp://10.0.0.7:1", "tcp://[fd00::7]:1"} {
		if _, err := (outside.Nodes{Named: []string{address}}).Specs(outside.System{}); err == nil || !strings.Contains(wrong.Hint(err), "--node-insecure") {
			t.Errorf("%s without TLS: %v", address, err)
		}
	}
	for _, address := range []string{"tcp://127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1", "ssh://arm.example", "unix:///n"} {
		if _, err := (outside.Nodes{Named: []string{address}}).Specs(outside.System{}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := (outside.Nodes{Named: []string{"engine"}, Builder: "b"}).Specs(outside.System{}); err == nil {
		t.Error("--node and --builder were taken together")
	}
}
