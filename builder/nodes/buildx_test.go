package nodes_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
)

// instances writes builders as buildx keeps them.
func instances(t *testing.T, byName map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "instances"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range byName {
		if err := os.WriteFile(filepath.Join(dir, "instances", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAllNodesOfABuilderAreRead(t *testing.T) {
	dir := instances(t, map[string]string{"farm": `{"Name":"farm","Driver":"remote","Nodes":[
		{"Name":"farm0","Endpoint":"unix:///run/a.sock","Platforms":null,"DriverOpts":null,"Flags":null,"Files":null},
		{"Name":"farm1","Endpoint":"tcp://10.0.0.7:1234","Platforms":[{"architecture":"arm64","os":"linux"},{"architecture":"arm","os":"linux","variant":"v7"},{"architecture":"arm64","os":"linux","variant":"v8"}],
		 "DriverOpts":{"servername":"arm.example","cacert":"/etc/b/ca.pem","cert":"/etc/b/cert.pem","key":"/etc/b/key.pem","default-load":"true"}},
		{"Name":"far away","Endpoint":"npipe:////./pipe/x"}
	],"Dynamic":false}`})
	got, err := nodes.Buildx{Dir: dir}.Read("--builder", "farm")
	if err != nil {
		t.Fatal(err)
	}
	want := []nodes.Spec{
		{Name: "farm0", Address: "unix:///run/a.sock", Weight: 1, From: "--builder farm"},
		{
			Name: "farm1", Address: "tcp://10.0.0.7:1234", Platforms: []platform.Platform{arm64, armv7}, Weight: 1, From: "--builder farm",
			TLS: builder.TLS{ServerName: "arm.example", CA: "/etc/b/ca.pem", Certificate: "/etc/b/cert.pem", Key: "/etc/b/key.pem"},
		},
	}
	if diff := cmp.Diff(want, got[:2]); diff != "" {
		t.Error(diff)
	}
	if got[0].Err != nil || got[1].Err != nil || len(got) != 3 {
		t.Fatal(got)
	}
	bad := new(nodes.BuilderError)
	if !errors.As(got[2].Err, &bad) || !strings.Contains(bad.Error(), "node far away: node npipe:////./pipe/x: unknown scheme npipe") || bad.Hint() == "" {
		t.Error(got[2].Err)
	}
	f := nodes.Look(t.Context(), got[2])
	if f.Name != "far-away" || f.Reachable || !strings.Contains(f.Error, "unknown scheme npipe") || f.Hint != bad.Hint() {
		t.Errorf("%+v", f)
	}
}

func TestContainersAreReachedThroughTheirDocker(t *testing.T) {
	for _, row := range []struct{ endpoint, host, want string }{
		{"default", "", "docker-container://buildx_buildkit_b0"},
		{"", "", "docker-container://buildx_buildkit_b0"},
		{"unix:///var/run/docker.sock", "", "docker-container://buildx_buildkit_b0"},
		{"tcp://far:2376", "tcp://far:2376", "docker-container://buildx_buildkit_b0"},
		{"desktop-linux", "", "docker-container://buildx_buildkit_b0?context=desktop-linux"},
	} {
		dir := instances(t, map[string]string{"b": `{"Driver":"docker-container","Nodes":[{"Name":"b0","Endpoint":"` + row.endpoint + `"}]}`})
		got, err := nodes.Buildx{Dir: dir, DockerHost: row.host}.Read("--builder", "b")
		if err != nil || got[0].Address != row.want || got[0].Name != "b0" {
			t.Errorf("%s: %+v, %v", row.endpoint, got, err)
		}
	}
}

func TestABuilderThatNamesCommandsIsRefused(t *testing.T) {
	for problem, endpoint := range map[string]string{
		"an option as a host": "ssh://-oProxyCommand=x", "a command behind a socket": "ssh://a/x;reboot", "no address": "nonsense", "a line break": `tcp://a:1\n`,
	} {
		dir := instances(t, map[string]string{"b": `{"Driver":"remote","Nodes":[{"Name":"b0","Endpoint":"` + endpoint + `"}]}`})
		_, err := nodes.Buildx{Dir: dir}.Read("BUILDX_BUILDER", "b")
		if bad := new(nodes.BuilderError); !errors.As(err, &bad) || bad.Hint() == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", problem, err)
		}
	}
}
