package manifest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// TestSourcesBehindAWallComeFromMirrors: the registry that the source names cannot be reached, a mirror of it can.
func TestSourcesBehindAWallComeFromMirrors(t *testing.T) {
	const wall = "127.0.0.1:1"
	mirror, target := registrytest.Start(t, registrytest.Memory), registrytest.Start(t, registrytest.Memory)
	newStore(t).pushed(mirror.Addr, arm64, "in the mirror", "app:1")
	behind := registry.New(registry.Options{Backoff: time.Millisecond, Hosts: map[string]registry.Host{wall: {Mirrors: []string{mirror.Addr}}}})
	assembly, err := manifest.Gather(t.Context(), behind, manifest.Request{Sources: from(wall + "/app:1")})
	if err != nil {
		t.Fatal(err)
	}
	defer assembly.Close()
	if len(assembly.Warnings) != 1 || !strings.Contains(assembly.Warnings[0], "mirror") {
		t.Errorf("warnings %q, want one that tells of the mirror", assembly.Warnings)
	}
	pushed, err := assembly.Push(t.Context(), behind, []string{target.Addr + "/app:1"}, manifest.PushOptions{})
	if err != nil || pushed.Blobs == 0 {
		t.Errorf("pushing what the mirror had gave %+v, %v", pushed, err)
	}
}

// TestWhatIsAppendedToComesFromTheRegistryItself: a mirror may know an older index, and images would be lost.
func TestWhatIsAppendedToComesFromTheRegistryItself(t *testing.T) {
	const wall = "127.0.0.1:1"
	mirror := registrytest.Start(t, registrytest.Memory)
	image := newStore(t).pushed(mirror.Addr, arm64, "in the mirror", "app:1")
	behind := registry.New(registry.Options{Backoff: time.Millisecond, Hosts: map[string]registry.Host{wall: {Mirrors: []string{mirror.Addr}}}})
	_, err := manifest.Gather(t.Context(), behind, manifest.Request{Append: wall + "/app:1", Sources: from(image)})
	if err == nil {
		t.Error("an index was appended to that only a mirror knew")
	}
}
