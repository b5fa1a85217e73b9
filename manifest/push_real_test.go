package manifest_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/archbuild/archbuild/manifest"
)

// dockerRegistry starts Debian's docker-registry on a free port.
func dockerRegistry(t *testing.T) (host string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("docker-registry is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host = l.Addr().String()
	l.Close()
	config := filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("version: 0.1\nstorage:\n  inmemory: {}\nhttp:\n  addr: %s\n", host)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 200 {
		if r, err := http.Get("http://" + host + "/v2/"); err == nil {
			r.Body.Close()
			return host
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("docker-registry does not answer")
	return ""
}

func TestARealRegistryTakesThePush(t *testing.T) {
	s, host := newStore(t), dockerRegistry(t)
	x := s.assemble([]string{"index:k=v"}, s.result(amd64, s.attested(amd64, "a")), s.result(armV7, s.attested(armV7, "b")))
	names := []string{host + "/app:1", host + "/copy:1"}
	for _, state := range []manifest.TagState{manifest.TagMoved, manifest.TagUnchanged} {
		got, err := x.Push(t.Context(), client(), names, manifest.PushOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range got.Tags {
			if tag.State != state {
				t.Errorf("%s is %s, want %s", tag.Name, tag.State, state)
			}
		}
	}
	for _, name := range names {
		ref := "docker://" + name
		if got := skopeo(t, "inspect", "--raw", "--tls-verify=false", ref); !bytes.Equal(bytes.TrimSpace(got), x.Bytes) {
			t.Errorf("%s is\n%s", name, got)
		}
		skopeo(t, "copy", "--all", "--src-tls-verify=false", ref, "oci:"+t.TempDir()+":copy")
	}
}
