package detect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/run"
	"github.com/archbuild/archbuild/platform"
)

// lacking ends a test that this machine cannot run; in CI that is a failure.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// TestMain lets the test binary stand in for a process in another namespace.
func TestMain(m *testing.M) {
	if os.Getenv("DETECT_TEST_PRINT") == "emulators" {
		binfmt, err := detect.Emulators(context.Background(), detect.Options{})
		if err != nil {
			panic(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(binfmt); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	if os.Getenv("DETECT_TEST_PRINT") == "register" {
		r, err := registerTwice()
		if err != nil {
			panic(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestEntriesAreSeenWhereNothingIsMounted looks from a mount namespace without
// binfmt_misc, as in a container of root.
func TestEntriesAreSeenWhereNothingIsMounted(t *testing.T) {
	here, err := detect.Emulators(context.Background(), detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Command(context.Background(), run.Options{
		Path: "unshare", Args: []string{"-m", "sh", "-ec", "umount -q -a -t binfmt_misc || true; exec \"$0\"", os.Args[0]},
		Env: []string{"PATH=" + os.Getenv("PATH"), "DETECT_TEST_PRINT=emulators"}, Timeout: time.Minute,
	})
	if err != nil {
		lacking(t, "no mount namespace here (root is needed): %v", err)
	}
	var there detect.Binfmt
	if err := json.Unmarshal(result.Stdout, &there); err != nil {
		t.Fatal(err)
	}
	if there.Mounted != "" || !there.Known {
		t.Errorf("mounted at %q, known %v", there.Mounted, there.Known)
	}
	if diff := cmp.Diff(here.Entries, there.Entries); diff != "" {
		t.Error(diff)
	}
	if again, err := detect.Emulators(context.Background(), detect.Options{}); err != nil || !cmp.Equal(here, again) {
		t.Errorf("the look changed something: %s (%v)", cmp.Diff(here, again), err)
	}
}

func linux() []platform.Platform {
	return slices.DeleteFunc(platform.All(), func(p platform.Platform) bool { return p.OS != "linux" })
}

func TestThisMachine(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	facts, err := detect.All(ctx, detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(facts.Host.Native, func(p platform.Platform) bool { return p.Arch == runtime.GOARCH }) {
		t.Errorf("this test runs as %s, which is not among %v", runtime.GOARCH, facts.Host.Native)
	}
	if !slices.Contains(facts.Host.Native, facts.Host.Platform) {
		t.Errorf("%s is not among %v", facts.Host.Platform, facts.Host.Native)
	}
	if dpkg, err := exec.LookPath("dpkg"); err == nil {
		out, err := run.Command(ctx, run.Options{Path: dpkg, Args: []string{"--print-architecture"}})
		if want := strings.TrimSpace(string(out.Stdout)); err != nil || facts.Host.Userland.Names().Debian != want {
			t.Errorf("dpkg says %s, we say %s (%v)", want, facts.Host.Userland, err)
		}
	}
	for _, a := range facts.Platforms {
		switch err := detect.Try(ctx, a.Platform); {
		case a.How != detect.No && err != nil:
			t.Errorf("%s is said to run (%s: %s), but does not: %v", a.Platform, a.How, a.Reason, err)
		case a.How == detect.No && err == nil && facts.Binfmt.Known && !strings.Contains(a.Reason, "containers"):
			t.Errorf("%s is said not to run (%s), but does", a.Platform, a.Reason)
		}
	}
}

// TestProbesAreWholePrograms runs each under its emulator by name, without
// binfmt_misc: what is tried must be right, or every verdict is wrong.
func TestProbesAreWholePrograms(t *testing.T) {
	for _, p := range linux() {
		t.Run(p.Suffix(), func(t *testing.T) {
			qemu, err := exec.LookPath("qemu-" + p.Names().QEMU + "-static")
			if err != nil {
				lacking(t, "no emulator for %s (apt-get install qemu-user-static)", p)
			}
			path := filepath.Join(t.TempDir(), "probe")
			if err := os.WriteFile(path, detect.Probe(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := run.Command(context.Background(), run.Options{Path: qemu, Args: []string{path}, Timeout: time.Minute}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTheRegistrationServes gives the printed command to a real kernel, in a
// user namespace that has a binfmt_misc of its own (Linux 6.7), so that the
// machine's own stays as it is.
func TestTheRegistrationServes(t *testing.T) {
	const mount = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"
	inside := func(script string) error {
		_, err := run.Command(context.Background(), run.Options{
			Path: "unshare", Args: []string{"-Urm", "sh", "-ec", mount + "\n" + script}, Timeout: time.Minute,
		})
		return err
	}
	if err := inside("true"); err != nil {
		lacking(t, "no private binfmt_misc here: %v", err)
	}
	host, err := detect.Host(context.Background(), detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range linux() {
		t.Run(p.Suffix(), func(t *testing.T) {
			r, ok := detect.RegistrationFor(p)
			if !ok || slices.ContainsFunc(host.Native, func(q platform.Platform) bool { return q.Arch == p.Arch }) {
				return
			}
			if _, err := os.Stat(r.Interpreter); err != nil {
				lacking(t, "no %s (apt-get install qemu-user-static)", r.Interpreter)
			}
			path := filepath.Join(t.TempDir(), "probe")
			if err := os.WriteFile(path, detect.Probe(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := inside(path); err == nil {
				t.Error("the probe runs without an emulator: the test shows nothing")
			}
			if err := inside(fmt.Sprintf("%s\ngrep -qx 'flags: F' /proc/sys/fs/binfmt_misc/%s\n%s", r.Command(), r.Name, path)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRegistrations(t *testing.T) {
	r, ok := detect.RegistrationFor(platform.MustParse("linux/arm64"))
	want := `:qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00` +
		`:\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F`
	if !ok || r.String() != want {
		t.Errorf("got  %s\nwant %s", r, want)
	}
	if _, ok := detect.RegistrationFor(platform.MustParse("windows/amd64")); ok {
		t.Error("a registration for Windows")
	}
	seen := map[string]bool{}
	for _, r := range detect.Registrations() {
		if seen[r.Name] {
			t.Errorf("%s twice", r.Name)
		}
		seen[r.Name] = true
	}
	if len(seen) < 9 {
		t.Errorf("only %v", seen)
	}
}
