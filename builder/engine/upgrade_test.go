//go:build linux

package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder/engine"
)

// release builds testdata/program as a version of archbuild. Edits are of the
// engine's own files: NAME, OLD, NEW.
func release(t *testing.T, version string, edits ...[3]string) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range edits {
		from, err := filepath.Abs(e[0])
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(from)
		if err != nil || !bytes.Contains(text, []byte(e[1])) {
			t.Fatalf("%s has no %q: %v", e[0], e[1], err)
		}
		to := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(to, bytes.ReplaceAll(text, []byte(e[1]), []byte(e[2])), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[from] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-ldflags", "-s -w -X main.version="+version, "-o", program, "./testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building version %s: %v\n%s", version, err, out)
	}
	return program
}

// running is a run of a release that holds its engine.
type running struct {
	engine.State
	said  *said
	close func()
}

func start(t *testing.T, program, state string) running {
	t.Helper()
	cmd := exec.Command(program, state, "1m")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := running{said: &said{}}
	cmd.Stderr = r.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.close = func() {
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
	}
	t.Cleanup(r.close)
	if err := json.NewDecoder(out).Decode(&r.State); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, r.said)
	}
	return r
}

func TestAnUpgrade(t *testing.T) {
	o := options(t)
	one, two := release(t, "1"), release(t, "2")
	other := release(t, "3", [3]string{"protocol.go", "protocol = 1", "protocol = 2"})

	first := start(t, one, o.State)
	if first.Version != "1" || first.Protocol != 1 {
		t.Errorf("the first engine is %+v", first.State)
	}
	// Another version that speaks the same shares the engine, also while it is used.
	second := start(t, two, o.State)
	if second.PID != first.PID || second.Version != "1" {
		t.Errorf("version 2 has %+v", second.State)
	}
	second.close()

	// One that does not waits until nobody uses it.
	refused, err := exec.Command(other, o.State, "-1s").CombinedOutput()
	if err == nil || !strings.Contains(string(refused), "another archbuild version and 1 other client") {
		t.Errorf("version 3 without patience: %v: %s", err, refused)
	}
	waiter := make(chan running, 1)
	go func() { waiter <- start(t, other, o.State) }()
	waitFor(t, "version 3 to wait", func() bool {
		s, err := engine.Status(t.Context(), o)
		return err == nil && s.PID == first.PID
	})
	first.close()
	third := <-waiter
	if third.PID == first.PID || third.Version != "3" || third.Protocol != 2 || third.Root != first.Root {
		t.Errorf("version 3 has %+v", third.State)
	}
	if !strings.Contains(third.said.String(), "replacing the private engine: it has another archbuild version") {
		t.Errorf("it says %q", third.said)
	}
	third.close()

	// And back, as when an upgrade is undone.
	if back := start(t, one, o.State); back.Version != "1" || back.PID == third.PID {
		t.Errorf("version 1 then has %+v", back.State)
	}
}
