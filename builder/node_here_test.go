package builder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/cli/cli/config"
)

// What is another machine gets no passwords, so a doubt makes it one. (isHere has no other face: a node has to answer.)
func TestWhichNodesAreThisMachine(t *testing.T) {
	folder := t.TempDir()
	was := config.Dir()
	config.SetDir(folder) // DOCKER_CONFIG is looked at once in a process
	t.Cleanup(func() { config.SetDir(was) })
	for _, row := range []struct {
		address, variable, value, current string
		here                              bool
	}{
		{"unix:///run/buildkit/buildkitd.sock", "", "", "", true},
		{"tcp://127.0.0.1:1234", "", "", "", true},
		{"tcp://[::1]:1234", "", "", "", true},
		{"tcp://localhost:1234", "", "", "", true},
		{"tcp://10.0.0.7:1234", "", "", "", false},
		{"tcp://localhost.example:1234", "", "", "", false},
		{"ssh://me@localhost", "", "", "", false},
		{"kube-pod://b-0", "", "", "", false},
		{"docker-container://b", "", "", "", true},
		{"docker-container://b", "DOCKER_HOST", "unix:///run/docker.sock", "", true},
		{"docker-container://b", "DOCKER_HOST", "ssh://me@arm.example", "", false},
		{"docker-container://b", "DOCKER_HOST", "tcp://arm.example:2376", "arm", false},
		{"docker-container://b", "DOCKER_CONTEXT", "arm", "", false},
		{"docker-container://b", "DOCKER_CONTEXT", "default", "arm", true},
		{"docker-container://b", "", "", "arm", false},
		{"docker-container://b?context=arm", "", "", "", false},
		{"docker-container://b?context=default", "", "", "arm", true},
		{"podman-container://b", "", "", "", true},
		{"podman-container://b", "CONTAINER_HOST", "ssh://me@arm.example/run/podman.sock", "", false},
		{"podman-container://b", "CONTAINER_CONNECTION", "arm", "", false},
		{"nerdctl-container://b?namespace=x", "", "", "", true},
		{"what://b", "", "", "", false},
	} {
		text := "{}"
		if row.current != "" {
			text = `{"currentContext":"` + row.current + `"}`
		}
		if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := isHere(row.address, func(key string) string {
			if key == row.variable {
				return row.value
			}
			return ""
		})
		if got != row.here {
			t.Errorf("%s with %s=%s, context %q: here %t", row.address, row.variable, row.value, row.current, got)
		}
	}
}
