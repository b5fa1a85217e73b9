//go:build linux

package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder/engine"
)

func TestStateDir(t *testing.T) {
	tests := map[string]struct {
		flag string
		env  map[string]string
		uid  int
		want string
	}{
		"the flag is first":            {"/flag", map[string]string{"ARCHBUILD_STATE": "/env"}, 0, "/flag"},
		"then the variable":            {"", map[string]string{"ARCHBUILD_STATE": "/env", "XDG_STATE_HOME": "/xdg"}, 0, "/env"},
		"then XDG":                     {"", map[string]string{"XDG_STATE_HOME": "/xdg", "HOME": "/home/u"}, 0, "/xdg/archbuild"},
		"a relative XDG is none":       {"", map[string]string{"XDG_STATE_HOME": "xdg"}, 0, "/var/lib/archbuild"},
		"root has /var/lib":            {"", map[string]string{"HOME": "/root"}, 0, "/var/lib/archbuild"},
		"others have their home":       {"", map[string]string{"HOME": "/home/u"}, 1000, "/home/u/.local/state/archbuild"},
		"a path is cleaned":            {"/a/../b/", nil, 0, "/b"},
		"no home is no reason to fail": {"", nil, 1000, filepath.Join(os.TempDir(), "archbuild-1000/state")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			env := func(name string) string { return tt.env[name] }
			if got := engine.StateDir(tt.flag, env, tt.uid); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFindRunc(t *testing.T) {
	bin := t.TempDir()
	program := filepath.Join(bin, "runc")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(bin, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ flag, path, want string }{
		"on PATH":                {"", bin, program},
		"named by path":          {program, "", program},
		"named by name":          {"runc", bin, program},
		"nowhere":                {"", "", ""},
		"named and not there":    {filepath.Join(bin, "no"), bin, ""},
		"named and no program":   {plain, bin, ""},
		"named, not there, PATH": {"crun", bin, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			got, err := engine.FindRunc(tt.flag)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			var missing *engine.MissingRuncError
			if tt.want == "" && (!errors.As(err, &missing) || missing.Hint() == "") {
				t.Errorf("got %v, want a *MissingRuncError with a hint", err)
			}
		})
	}
}

func TestLoadConfig(t *testing.T) {
	tests := map[string]struct {
		text string
		ok   bool
	}{
		"empty":                           {"", true},
		"registries":                      {"[registry.\"docker.io\"]\nmirrors = [\"m.example\"]\n", true},
		"overlayfs":                       {"[worker.oci]\nsnapshotter = \"overlayfs\"\n", true},
		"where buildkitd lies is ignored": {"root = \"/var/lib/buildkit\"\n[grpc]\naddress = [\"tcp://0.0.0.0:1\"]\n", true},
		"no TOML":                         {"[registry\n", false},
		"a snapshotter we lack":           {"[worker.oci]\nsnapshotter = \"stargz\"\n", false},
		"no worker":                       {"[worker.oci]\nenabled = false\n", false},
		"a platform that is none":         {"[worker.oci]\nplatforms = [\"x/y/z/a\"]\n", false},
		"a log level that is none":        {"[log]\nlevel = \"loud\"\n", false},
		"rootless":                        {"[worker.oci]\nrootless = true\n", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "buildkitd.toml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := engine.LoadConfig(path)
			var bad *engine.ConfigError
			if tt.ok != (err == nil) || !tt.ok && (!errors.As(err, &bad) || bad.File != path || bad.Hint() == "") {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := engine.LoadConfig(""); err != nil {
		t.Errorf("no file: %v", err)
	}
	if _, err := engine.LoadConfig(filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("a file that is not there is accepted")
	}
}

// The version is written down in the code, because a build has no other way to
// know it before the engine runs.
func TestTheVersionIsThatOfTheModule(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/moby/buildkit" && dep.Version != engine.BuildKit {
			t.Errorf("go.mod has BuildKit %s, the code says %s", dep.Version, engine.BuildKit)
		}
	}
}

// A state folder in /tmp, which is that of a user without a home, can have been
// prepared by somebody else.
func TestAFolderPreparedBySomebodyElseIsRefused(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine := filepath.Join(os.TempDir(), fmt.Sprintf("archbuild-%d", os.Getuid()), "state")
	if err := os.Symlink(t.TempDir(), filepath.Dir(mine)); err != nil {
		t.Fatal(err)
	}
	_, err := engine.Ensure(t.Context(), engine.Options{State: mine})
	var foreign *engine.ForeignDirError
	if !errors.As(err, &foreign) || foreign.Dir != filepath.Dir(mine) {
		t.Errorf("got %v, want a *ForeignDirError about %s", err, filepath.Dir(mine))
	}
}

func TestAFolderOfSomethingElseBecomesNoStateFolder(t *testing.T) {
	o := engine.Options{State: t.TempDir()}
	for _, name := range []string{"run", ".archbuild-1", "photos"} { // the second is left by a run that was killed
		if err := os.Mkdir(filepath.Join(o.State, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, err := engine.Ensure(t.Context(), o)
	if unusable := new(engine.StateError); !errors.As(err, &unusable) || !strings.Contains(err.Error(), `holds "photos"`) {
		t.Errorf("got %v, want a *StateError that names what is there", err)
	}
	if info, err := os.Stat(filepath.Join(o.State, "run")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("run below it is now %v, %v", info.Mode(), err)
	}
}

func TestAStateThatIsNoFolderIsToldWithWhatToDo(t *testing.T) {
	o := engine.Options{State: filepath.Join(t.TempDir(), "file")}
	if err := os.WriteFile(o.State, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, looked := engine.Status(t.Context(), o)
	for what, err := range map[string]error{"status": looked, "stop": engine.Stop(t.Context(), o)} {
		if unusable := new(engine.StateError); !errors.As(err, &unusable) || unusable.Hint() == "" {
			t.Errorf("%s: got %v, want a *StateError", what, err)
		}
	}
}
