package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registry"
)

func TestWhereCredentialsAreLookedFor(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	docker := write("docker/config.json", `{"credsStore":"there","credHelpers":{"other.example":"gone","https://index.docker.io/v1/":"hub"}}`)
	usual := write("usual/.docker/config.json", `{"auths":{"reg.example":{}}}`)
	podman := write("run/containers/auth.json", `{}`)
	settings := write("settings/containers/auth.json", `{}`)
	write("bin/docker-credential-there", "#!/bin/sh\n")
	t.Setenv("PATH", filepath.Join(home, "bin"))
	folder := func(name string) string { return filepath.Join(home, name) }
	for name, tc := range map[string]struct {
		domain, file string
		environ      []string
		want         registry.Source
	}{
		"there is nothing": {environ: []string{"HOME=" + folder("empty")}, want: registry.Source{}},
		"the usual file":   {environ: []string{"HOME=" + folder("usual")}, want: registry.Source{File: usual}},
		"a folder that was named comes first": {
			environ: []string{"HOME=" + folder("usual"), "DOCKER_CONFIG=" + folder("docker")}, want: registry.Source{File: docker, Helper: "docker-credential-there"},
		},
		"a helper of that registry alone": {
			domain: "other.example", environ: []string{"DOCKER_CONFIG=" + folder("docker")}, want: registry.Source{File: docker, Helper: "docker-credential-gone", NoHelper: true},
		},
		"Docker's own registry has a name of its own": {
			domain: "docker.io", environ: []string{"DOCKER_CONFIG=" + folder("docker")}, want: registry.Source{File: docker, Helper: "docker-credential-hub", NoHelper: true},
		},
		"podman's file of a session":            {environ: []string{"HOME=" + folder("empty"), "XDG_RUNTIME_DIR=" + folder("run")}, want: registry.Source{File: podman}},
		"podman's file that lasts":              {environ: []string{"XDG_CONFIG_HOME=" + folder("settings")}, want: registry.Source{File: settings}},
		"the environment itself":                {environ: []string{"DOCKER_AUTH_CONFIG={}"}, want: registry.Source{File: "$DOCKER_AUTH_CONFIG"}},
		"a file that was named is all there is": {file: usual, environ: []string{"DOCKER_CONFIG=" + folder("docker")}, want: registry.Source{File: usual}},
	} {
		t.Run(name, func(t *testing.T) {
			getenv := func(key string) string {
				for _, entry := range tc.environ {
					if value, ok := strings.CutPrefix(entry, key+"="); ok {
						return value
					}
				}
				return ""
			}
			if tc.domain == "" {
				tc.domain = "reg.example"
			}
			if diff := cmp.Diff(tc.want, registry.SourceOf(tc.domain, tc.file, getenv)); diff != "" {
				t.Error(diff)
			}
		})
	}
	write("broken/config.json", "{")
	if s := registry.SourceOf("reg.example", folder("broken/config.json"), func(string) string { return "" }); s.Err == nil {
		t.Errorf("a file that cannot be read: %+v", s)
	}
}
