package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// TestBuildxLoadsTheSameImage has docker buildx and archbuild build on one BuildKit and load into one Docker.
func TestBuildxLoadsTheSameImage(t *testing.T) {
	x := newTools(t)
	requireMachine(t)
	buildx := x.built("buildx")
	client, err := fixtures.DockerClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x.env = append(x.env, "SOURCE_DATE_EPOCH=1700000000", "XDG_RUNTIME_DIR=")
	for name, text := range map[string]string{"Dockerfile": "FROM scratch\nARG TARGETARCH\nENV ARCH=$TARGETARCH\nCOPY Dockerfile /\n", ".dockerignore": "*\n!Dockerfile\n"} {
		if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x.run("archbuild", ".", "-o", "type=cacheonly", "-q")
	defer func() {
		if _, err := x.try("archbuild", "engine", "stop"); err != nil {
			t.Error(err)
		}
	}()
	var engine struct{ Socket string }
	if err := json.Unmarshal(x.run("archbuild", "engine", "status", "--json"), &engine); err != nil {
		t.Fatal(err)
	}
	x.run(buildx, "create", "--name", "same", "--driver", "remote", "unix://"+engine.Socket)
	for store, platforms := range map[fixtures.DockerStore]string{
		fixtures.ClassicStore:    "linux/amd64",
		fixtures.ContainerdStore: "linux/amd64,linux/arm64",
	} {
		t.Run(string(store), func(t *testing.T) {
			x := tools{t, x.dir, append(x.env, "DOCKER_HOST="+fixtures.DockerForTest(t, store).Host)}
			x.run(buildx, "build", "--builder", "same", "--provenance=false", "--platform", platforms, "-t", "app:buildx", "-o", "type=docker,rewrite-timestamp=true", ".")
			x.run("archbuild", ".", "--platform", platforms, "-t", "app:archbuild", "--load", "-q")
			ids := strings.Fields(string(x.run(client, "image", "inspect", "--format", "{{.Id}}", "app:buildx", "app:archbuild")))
			if len(ids) != 2 || ids[0] != ids[1] {
				t.Errorf("buildx's and archbuild's are %s", ids)
			}
		})
	}
}
