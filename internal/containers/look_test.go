package containers_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/archbuild/archbuild/internal/containers"
)

func TestALookTellsWhatIsThere(t *testing.T) {
	engine := dockerHere(t)
	home := t.TempDir()
	mute := filepath.Join(home, "mute.sock") // a socket at which nobody listens any more
	listener, err := net.Listen("unix", mute)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	t.Setenv("PATH", home)
	look := func(environ ...string) containers.Endpoint {
		list := containers.Look(t.Context(), containers.Options{Environ: append([]string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home}, environ...)})
		i := slices.IndexFunc(list, func(e containers.Endpoint) bool { return e.Tool == "Docker" })
		if len(list) != 3 || i < 0 {
			t.Fatalf("%+v", list)
		}
		return list[i]
	}
	if e := look("DOCKER_HOST=unix://" + mute); e.Absent || e.Err == nil {
		t.Errorf("one that does not listen: %+v", e)
	}
	if e := look("DOCKER_HOST=nonsense://x"); e.Absent || e.Err == nil {
		t.Errorf("an address that makes no sense: %+v", e)
	}
	if _, err := os.Stat("/var/run/docker.sock"); err != nil {
		if e := look(); !e.Absent {
			t.Errorf("none at all: %+v", e)
		}
	}
	if files, _ := os.ReadDir(home); len(files) != 1 {
		t.Errorf("it has left something behind: %v", files)
	}
	if e := look("DOCKER_HOST=" + engine.Host); e.Err != nil || e.Version == "" || e.Address != engine.Host {
		t.Errorf("one that answers: %+v", e)
	}
}
